output "email" {
  description = "The function's account."
  value       = var.account.email
}

output "member" {
  description = "The function's account, as grants name it."
  value       = var.account.member
}

output "name" {
  description = "Name of the service."
  value       = google_cloud_run_v2_service.this.name
}

output "uri" {
  description = "Where Google's own services call it, and the audience of their tokens."
  value       = google_cloud_run_v2_service.this.uri
}

output "service" {
  description = "The whole service, for whoever must be sure of it."
  value       = google_cloud_run_v2_service.this
}

output "invokers" {
  description = "Who may call it."
  value       = google_cloud_run_v2_service_iam_member.invokers
}
