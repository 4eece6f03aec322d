# One network. Nodes and the database have private addresses only; what nodes fetch from outside goes through
# Cloud NAT. Of the functions only what is meant for private addresses comes this way: Google's APIs, the
# cells' endpoints among them, they reach directly.

resource "google_compute_network" "this" {
  name                    = "urumi"
  auto_create_subnetworks = false
  routing_mode            = "REGIONAL"

  depends_on = [google_project_service.apis]
}

resource "google_compute_subnetwork" "functions" {
  name                     = "functions"
  network                  = google_compute_network.this.id
  region                   = var.region
  ip_cidr_range            = var.functions_range
  private_ip_google_access = true

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
  }
}

resource "google_compute_subnetwork" "cell" {
  for_each = var.cells

  name                     = "cell-${each.key}"
  network                  = google_compute_network.this.id
  region                   = each.value.region
  ip_cidr_range            = each.value.ranges.nodes
  private_ip_google_access = true

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = each.value.ranges.pods
  }

  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = each.value.ranges.services
  }

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
  }
}

resource "google_compute_router" "cell" {
  for_each = toset([for cell in var.cells : cell.region])

  name    = "nat-${each.key}"
  network = google_compute_network.this.id
  region  = each.key
}

resource "google_compute_router_nat" "cell" {
  for_each = google_compute_router.cell

  name                               = each.value.name
  router                             = each.value.name
  region                             = each.value.region
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}

# Where Cloud SQL lives: a network of Google's that is peered with ours.
resource "google_compute_global_address" "services" {
  name          = "google-services"
  network       = google_compute_network.this.id
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  address       = "10.200.0.0" # said, so that Google picks none that a cell will want
  prefix_length = 20
}

resource "google_service_networking_connection" "services" {
  network                 = google_compute_network.this.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.services.name]
}

# Where shoppers reach a cell's gateway; made here so that the name can be delegated before there is a gateway.
resource "google_compute_address" "front_door" {
  for_each = var.cells

  name         = "front-door-${each.key}"
  region       = each.value.region
  address_type = "EXTERNAL"

  depends_on = [google_project_service.apis]
}
