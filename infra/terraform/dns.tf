# The stores' domain: every name below it leads to the gateway. It is nobody else's, the API's above all, so
# that no shop can set cookies for it; put it on the Public Suffix List, so that no shop can set them for another.

resource "google_dns_managed_zone" "stores" {
  for_each = var.cells

  name        = "stores-${each.key}"
  dns_name    = "${each.value.domain}."
  description = "Stores of the cell ${each.key}"

  dnssec_config {
    state = "on"
  }

  depends_on = [google_project_service.apis]
}

resource "google_dns_record_set" "stores" {
  for_each = var.cells

  managed_zone = google_dns_managed_zone.stores[each.key].name
  name         = "*.${each.value.domain}."
  type         = "A"
  ttl          = 300
  rrdatas      = [google_compute_address.front_door[each.key].address]
}

# Who proves to the certificate authority that the domain is ours: a pod of cert-manager, by Workload Identity.
resource "google_service_account" "certificates" {
  for_each = var.cells

  account_id   = "certificates-${each.key}"
  display_name = "Certificates of the cell ${each.key}"
}

resource "google_dns_managed_zone_iam_member" "certificates" {
  for_each = var.cells

  managed_zone = google_dns_managed_zone.stores[each.key].name
  role         = "roles/dns.admin"
  member       = google_service_account.certificates[each.key].member
}

# It looks for the zone's name, which is a question about the project.
resource "google_project_iam_member" "certificates" {
  for_each = var.cells

  project = var.project
  role    = "roles/dns.reader"
  member  = google_service_account.certificates[each.key].member
}

resource "google_service_account_iam_member" "certificates" {
  for_each = var.cells

  service_account_id = google_service_account.certificates[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project}.svc.id.goog[cert-manager/cert-manager]"

  depends_on = [google_container_cluster.cell] # the pool of identities begins with the first cluster
}
