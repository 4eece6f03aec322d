output "gateway" {
  description = "Who may reach the stores: values `ingress.controller` of chart/, as the first root writes them."
  value       = { namespace = helm_release.front_door.namespace, podLabels = local.gateway_labels }
}
