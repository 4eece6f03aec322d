output "api_address" {
  description = "Where the A record of `api_domain` must point."
  value       = google_compute_global_address.api.address
}

output "backups" {
  description = "The bucket for backups."
  value       = google_storage_bucket.backups.name
}

output "cells" {
  description = "What the second apply (platform/) needs to know of each cell."
  value = {
    for name, cell in google_container_cluster.cell : name => {
      endpoint = "https://${cell.control_plane_endpoints_config[0].dns_endpoint_config[0].endpoint}"
      domain   = var.cells[name].domain
      address  = google_compute_address.front_door[name].address
      zone     = google_dns_managed_zone.stores[name].name
      identities = {
        provision    = module.provision[name].email
        reconcile    = module.reconcile[name].email
        certificates = google_service_account.certificates[name].email
      }
    }
  }

  depends_on = [google_container_node_pool.system] # so that there is where to run
}

output "name_servers" {
  description = "Where each cell's domain must be delegated to."
  value       = { for name, zone in google_dns_managed_zone.stores : name => zone.name_servers }
}

output "registry" {
  description = "Where images are pushed to."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}
