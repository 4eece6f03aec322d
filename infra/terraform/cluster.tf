# The cells. Standard rather than Autopilot: stores ask for a tenth of a CPU, which Autopilot rounds up, and their
# policies name the pods of kube-dns, where Autopilot has Cloud DNS at the metadata server's address.

resource "google_service_account" "nodes" {
  for_each = var.cells

  account_id   = "nodes-${each.key}"
  display_name = "Nodes of the cell ${each.key}"
}

# Logs and metrics.
resource "google_project_iam_member" "nodes" {
  for_each = var.cells

  project = var.project
  role    = "roles/container.defaultNodeServiceAccount"
  member  = google_service_account.nodes[each.key].member
}

# Image streaming asks in whose name it reads.
resource "google_project_iam_member" "streaming" {
  for_each = var.cells

  project = var.project
  role    = "roles/serviceusage.serviceUsageConsumer"
  member  = google_service_account.nodes[each.key].member
}

resource "google_container_cluster" "cell" {
  for_each = var.cells

  name       = each.key
  location   = each.value.region
  network    = google_compute_network.this.id
  subnetwork = google_compute_subnetwork.cell[each.key].id

  remove_default_node_pool = true
  initial_node_count       = 1
  deletion_protection      = var.protected
  resource_labels          = { environment = var.environment }

  release_channel {
    channel = "REGULAR"
  }

  maintenance_policy {
    recurring_window {
      start_time = "2026-01-01T02:00:00Z"
      end_time   = "2026-01-01T08:00:00Z"
      recurrence = "FREQ=DAILY"
    }
  }

  # Dataplane V2 enforces the stores' NetworkPolicies. Without it they are only written down.
  datapath_provider           = "ADVANCED_DATAPATH"
  enable_intranode_visibility = true # flow logs see pods of one node, too

  ip_allocation_policy {
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
  }

  private_cluster_config {
    enable_private_nodes = true
  }

  # The API server has a name and no address of its own: whoever calls it shows an identity with
  # container.clusters.connect before Kubernetes is asked what it may do.
  control_plane_endpoints_config {
    dns_endpoint_config {
      allow_external_traffic = true
    }
    ip_endpoints_config {
      enabled = false
    }
  }

  workload_identity_config {
    workload_pool = "${var.project}.svc.id.goog"
  }

  # kube-dns, which the stores' policies can name.
  dns_config {
    cluster_dns = "KUBE_DNS"
  }

  # Nodes for stores come and go with them.
  cluster_autoscaling {
    enabled             = true
    autoscaling_profile = "OPTIMIZE_UTILIZATION"

    resource_limits {
      resource_type = "cpu"
      maximum       = each.value.most.cpu
    }

    resource_limits {
      resource_type = "memory"
      maximum       = each.value.most.memory
    }

    auto_provisioning_defaults {
      service_account = google_service_account.nodes[each.key].email
      oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
      image_type      = "COS_CONTAINERD"
      disk_type       = "pd-balanced"
      disk_size       = 200 # stores ask for 2.25 GiB of it each, and a node keeps about half for itself

      management {
        auto_repair  = true
        auto_upgrade = true
      }

      shielded_instance_config {
        enable_secure_boot          = true
        enable_integrity_monitoring = true
      }
    }
  }

  node_pool_defaults {
    node_config_defaults {
      # Image streaming: a store's first boot does not wait for its whole image.
      gcfs_config {
        enabled = true
      }
      insecure_kubelet_readonly_port_enabled = "FALSE"
    }
  }

  addons_config {
    # On by default in new clusters: pods would ask a cache on their node, which no store's policy names.
    dns_cache_config {
      enabled = false
    }
    gce_persistent_disk_csi_driver_config {
      enabled = true
    }
    # The network load balancer before the gateway is made by it, too.
    http_load_balancing {
      disabled = false
    }
  }

  security_posture_config {
    mode = "BASIC"
  }

  # RBAC by Google groups and by the identities of functions; no certificates, no passwords.
  master_auth {
    client_certificate_config {
      issue_client_certificate = false
    }
  }

  logging_config {
    enable_components = ["SYSTEM_COMPONENTS", "APISERVER", "WORKLOADS"]
  }

  monitoring_config {
    enable_components = ["SYSTEM_COMPONENTS"] # more is paid by the sample, and no alert reads it
  }

  # Of the first pool, which is there for a few minutes.
  node_config {
    service_account = google_service_account.nodes[each.key].email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]

    workload_metadata_config {
      mode = "GKE_METADATA"
    }

    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }
  }

  lifecycle {
    ignore_changes = [initial_node_count, node_config]
  }
}

# For what is not a store: DNS, the gateway, cert-manager. Stores tolerate no taint, so they stay away.
resource "google_container_node_pool" "system" {
  for_each = var.cells

  name     = "system"
  cluster  = google_container_cluster.cell[each.key].id
  location = each.value.region

  initial_node_count = 1

  autoscaling {
    total_min_node_count = 1
    total_max_node_count = 6
    location_policy      = "BALANCED"
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  node_config {
    machine_type    = "e2-standard-2"
    disk_type       = "pd-balanced"
    disk_size_gb    = 50
    image_type      = "COS_CONTAINERD"
    service_account = google_service_account.nodes[each.key].email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
    metadata        = { disable-legacy-endpoints = "true" }

    # The one taint that GKE's own system pods tolerate.
    taint {
      key    = "components.gke.io/gke-managed-components"
      value  = "true"
      effect = "NO_SCHEDULE"
    }

    workload_metadata_config {
      mode = "GKE_METADATA"
    }

    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }
  }

  lifecycle {
    ignore_changes = [initial_node_count]
  }
}

# A second wall around the pods of plans that ask for it: gVisor. Pods choose it by runtimeClassName `gvisor`.
resource "google_container_node_pool" "sandbox" {
  for_each = { for name, cell in var.cells : name => cell if cell.sandbox }

  name     = "sandbox"
  cluster  = google_container_cluster.cell[each.key].id
  location = each.value.region

  initial_node_count = 0

  autoscaling {
    total_min_node_count = 0
    total_max_node_count = 20
    location_policy      = "BALANCED"
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  node_config {
    machine_type    = "e2-standard-8"
    disk_type       = "pd-balanced"
    disk_size_gb    = 200
    image_type      = "COS_CONTAINERD"
    service_account = google_service_account.nodes[each.key].email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
    metadata        = { disable-legacy-endpoints = "true" }

    sandbox_config {
      type = "GVISOR"
    }

    workload_metadata_config {
      mode = "GKE_METADATA"
    }

    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }
  }

  lifecycle {
    ignore_changes = [initial_node_count]
  }
}

# What a function needs of the cloud to be heard by a cell. What it may do there the cell says (platform/).
resource "google_project_iam_custom_role" "cell_caller" {
  role_id     = "urumi.cellCaller"
  title       = "Caller of a cell"
  description = "Reaches the API servers of this project's clusters, with no rights in them."
  permissions = ["container.clusters.connect"]
}

resource "google_project_iam_member" "cell_callers" {
  for_each = merge(
    { for cell, function in module.provision : "provision-${cell}" => function.member },
    { for cell, function in module.reconcile : "reconcile-${cell}" => function.member },
    { for operator in var.operators : operator => "user:${operator}" },
  )

  project = var.project
  role    = google_project_iam_custom_role.cell_caller.id
  member  = each.value
}
