mock_provider "google" {
  source = "./tests/mocks"
}

run "cells" {
  assert {
    condition     = alltrue([for cell in google_container_cluster.cell : cell.datapath_provider == "ADVANCED_DATAPATH"])
    error_message = "Every cell enforces the stores' NetworkPolicies."
  }

  assert {
    condition     = alltrue([for cell in google_container_cluster.cell : cell.private_cluster_config[0].enable_private_nodes && !cell.control_plane_endpoints_config[0].ip_endpoints_config[0].enabled])
    error_message = "Nodes and API servers have no public address."
  }

  assert {
    condition     = alltrue([for cell in google_container_cluster.cell : cell.dns_config[0].cluster_dns == "KUBE_DNS" && !cell.addons_config[0].dns_cache_config[0].enabled])
    error_message = "Pods ask kube-dns itself: the stores' policies let them reach no other."
  }

  assert {
    condition = alltrue(flatten([
      for pools in [google_container_node_pool.system, google_container_node_pool.sandbox] :
      [for pool in pools : pool.node_config[0].service_account != "default" && pool.node_config[0].shielded_instance_config[0].enable_secure_boot]
    ]))
    error_message = "Nodes run as an account of their own and boot what is signed."
  }

  assert {
    condition     = alltrue([for name, cell in google_container_cluster.cell : cell.cluster_autoscaling[0].auto_provisioning_defaults[0].service_account == google_service_account.nodes[name].email])
    error_message = "Nodes that come by themselves run as the cell's own account, too."
  }

  assert {
    condition     = toset(google_project_iam_custom_role.cell_caller.permissions) == toset(["container.clusters.connect"])
    error_message = "What a function may do in a cell is said there: the cloud's rights would add up with those."
  }

  assert {
    condition     = !contains([for name, grant in google_project_iam_member.cell_callers : grant.member], module.create_store.member)
    error_message = "The API has no way to a cell."
  }
}

run "a_second_cell" {
  command = plan

  variables {
    cells = {
      one = {
        region = "europe-west1"
        domain = "one.shops.example"
        ranges = { nodes = "10.10.0.0/22", pods = "10.64.0.0/16", services = "10.20.0.0/20" }
        most   = { cpu = 32, memory = 128 }
      }
      two = {
        region  = "us-east1"
        domain  = "two.shops.example"
        ranges  = { nodes = "10.11.0.0/22", pods = "10.65.0.0/16", services = "10.21.0.0/20" }
        most    = { cpu = 32, memory = 128 }
        sandbox = true
      }
    }
    cell = "one"
  }

  assert {
    condition     = length(google_container_cluster.cell) == 2 && length(google_compute_router_nat.cell) == 2 && length(google_container_node_pool.sandbox) == 1
    error_message = "Another entry is another cell."
  }
}
