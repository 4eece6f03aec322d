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
    condition = alltrue([
      for function in [module.create_store, module.console] :
      !contains([for name, grant in google_project_iam_member.cell_callers : grant.member], function.member)
    ])
    error_message = "API and console have no way to a cell."
  }
}

# Over what the first run has made.
run "a_second_cell" {
  variables {
    cells = merge(var.cells, {
      second = {
        region  = "us-east1"
        domain  = "second.shops.example"
        ranges  = { nodes = "10.99.0.0/22", pods = "10.200.0.0/16", services = "10.99.64.0/20" }
        most    = { cpu = 32, memory = 128 }
        sandbox = true
      }
    })
    database = { tier = "db-custom-4-16384", highly_available = true, max_connections = 600 }
  }

  assert {
    condition     = length(google_container_cluster.cell) == 2 && length(google_compute_router_nat.cell) == 2 && contains(keys(google_container_node_pool.sandbox), "second")
    error_message = "Another entry is another cell."
  }

  assert {
    condition     = output.cells[var.new_stores_cell] == run.cells.cells[var.new_stores_cell]
    error_message = "Nothing of the first cell is made anew for the second."
  }

  assert {
    condition = alltrue([
      for cell in keys(var.cells) :
      module.provision[cell].name == "provision-${cell}" && module.reconcile[cell].name == "reconcile-${cell}"
      && google_cloud_scheduler_job.reconcile[cell].name == "reconcile-${cell}"
    ])
    error_message = "Each cell has a provision and a reconcile, called after it: another cell renames nothing of the first."
  }

  assert {
    condition = alltrue(flatten([
      for cell in keys(var.cells) : [
        for function in [module.provision[cell], module.reconcile[cell]] : [
          for setting in function.service.template[0].containers[0].env :
          setting.value == { URUMI_CELL = cell, URUMI_CELL_ENDPOINT = output.cells[cell].endpoint }[setting.name]
          if contains(["URUMI_CELL", "URUMI_CELL_ENDPOINT"], setting.name)
        ]
      ]
    ]))
    error_message = "A function looks after the cell that it is called after."
  }

  assert {
    condition = alltrue(flatten([
      for cell in keys(var.cells) : [
        for name in ["store-intents-provision-${cell}", "rollouts-reconcile-${cell}"] :
        google_pubsub_subscription.pushes[name].filter == "attributes.cell = \"${cell}\" OR NOT attributes:cell"
      ]
    ]))
    error_message = "A cell's functions are woken for their own stores, and by what names no cell."
  }

  assert {
    condition     = google_pubsub_subscription.pushes["billing-events-billing-event"].filter == null
    error_message = "What billing tells is no cell's own: no filter may drop it."
  }

  assert {
    condition = alltrue(flatten([
      for function in concat([module.create_store, module.console, module.billing_event, module.stripe_webhook], values(module.reconcile)) : [
        for setting in function.service.template[0].containers[0].env :
        setting.value == { URUMI_NEW_STORES_CELL = var.new_stores_cell, URUMI_BASE_DOMAIN = var.cells[var.new_stores_cell].domain }[setting.name]
        if contains(["URUMI_NEW_STORES_CELL", "URUMI_BASE_DOMAIN"], setting.name)
      ]
    ]))
    error_message = "Whoever makes stores makes them in one cell, below that cell's domain."
  }

  assert {
    condition     = toset(keys(google_sql_user.functions)) == toset(keys(local.services)) && length(google_sql_user.functions) == 4 + 2 * length(var.cells)
    error_message = "Each function of each cell is a user of the database."
  }

  assert {
    condition = alltrue(flatten([
      for cell in keys(var.cells) : [
        for function in [module.provision[cell], module.reconcile[cell]] :
        contains([for grant in google_project_iam_member.cell_callers : grant.member], function.member)
      ]
    ]))
    error_message = "Each cell's functions are heard by the cells."
  }
}

run "connections_of_two_cells_that_fit" {
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
    new_stores_cell = "one"
    database        = { tier = "db-custom-2-8192", highly_available = false, max_connections = 45 }
    functions = {
      create-store   = { concurrency = 7, threads = 8, max_instances = 1, timeout = 30 }
      console        = { concurrency = 3, threads = 4, max_instances = 1, timeout = 30 }
      provision      = { concurrency = 1, threads = 4, max_instances = 1, timeout = 300 }
      reconcile      = { concurrency = 3, threads = 4, max_instances = 1, timeout = 120 }
      billing-event  = { concurrency = 3, threads = 4, max_instances = 1, timeout = 60 }
      stripe-webhook = { concurrency = 3, threads = 4, max_instances = 1, timeout = 30 }
    }
  }
}

run "a_second_cell_opens_connections_too" {
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
    new_stores_cell = "one"
    database        = { tier = "db-custom-2-8192", highly_available = false, max_connections = 44 }
    functions = {
      create-store   = { concurrency = 7, threads = 8, max_instances = 1, timeout = 30 }
      console        = { concurrency = 3, threads = 4, max_instances = 1, timeout = 30 }
      provision      = { concurrency = 1, threads = 4, max_instances = 1, timeout = 300 }
      reconcile      = { concurrency = 3, threads = 4, max_instances = 1, timeout = 120 }
      billing-event  = { concurrency = 3, threads = 4, max_instances = 1, timeout = 60 }
      stripe-webhook = { concurrency = 3, threads = 4, max_instances = 1, timeout = 30 }
    }
  }

  expect_failures = [google_sql_database_instance.urumi]
}

run "a_name_that_no_account_can_have" {
  command = plan

  variables {
    cells = {
      europe-west-and-on = {
        region = "europe-west1"
        domain = "one.shops.example"
        ranges = { nodes = "10.10.0.0/22", pods = "10.64.0.0/16", services = "10.20.0.0/20" }
        most   = { cpu = 32, memory = 128 }
      }
    }
    new_stores_cell = "europe-west-and-on"
  }

  expect_failures = [var.cells]
}
