mock_provider "google" {
  source = "./tests/mocks"
}

run "functions" {
  assert {
    condition = length(distinct([
      for function in concat([module.create_store, module.console, module.billing_event, module.stripe_webhook], values(module.provision), values(module.reconcile)) :
      function.service.template[0].service_account
    ])) == 4 + 2 * length(var.cells)
    error_message = "Each function has an account of its own, in each cell where it looks after one."
  }

  assert {
    condition = alltrue([
      for function in [module.create_store, module.console, module.stripe_webhook] :
      function.service.invoker_iam_disabled && function.service.ingress == "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER" && function.service.default_uri_disabled
    ])
    error_message = "The public functions are reached through the load balancer, and by no other way."
  }

  assert {
    condition = alltrue([
      for function in concat([module.billing_event], values(module.provision), values(module.reconcile)) :
      !function.service.invoker_iam_disabled && function.service.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY"
    ])
    error_message = "Only create_store, console and stripe_webhook are public."
  }

  assert {
    condition = alltrue(flatten([
      for function in concat([module.create_store, module.console, module.billing_event, module.stripe_webhook], values(module.provision), values(module.reconcile)) :
      [for caller in function.invokers : contains([google_service_account.push.member, google_service_account.scheduler.member], caller.member)]
    ]))
    error_message = "Pub/Sub and the scheduler are let in by name, and nobody else."
  }

  assert {
    condition     = alltrue([for function in module.provision : function.service.template[0].max_instance_request_concurrency == 1])
    error_message = "provision does one store at a time in an instance: each run of helm gets the memory that was measured for one."
  }

  assert {
    condition     = alltrue([for function in module.provision : function.service.template[0].timeout == "300s"])
    error_message = "provision ends within 300 s, before the broker's 600."
  }

  assert {
    condition = alltrue([
      for function in concat([module.create_store, module.console, module.billing_event, module.stripe_webhook], values(module.provision), values(module.reconcile)) :
      function.service.template[0].containers[0].image == var.image && function.service.template[0].containers[0].resources[0].startup_cpu_boost
      && length(function.service.template[0].containers[0].startup_probe) == 1 && length(function.service.template[0].containers[0].liveness_probe) == 1
    ])
    error_message = "Each function runs the one image, starts with more CPU and is probed."
  }

  assert {
    condition = alltrue(flatten([
      for function in concat([module.create_store, module.console, module.billing_event, module.stripe_webhook], values(module.provision), values(module.reconcile)) : [
        for setting in function.service.template[0].containers[0].env :
        can(regex("^[1-9][0-9]*$", setting.value_source[0].secret_key_ref[0].version))
        if contains(keys(local.secrets), setting.name)
      ]
    ]))
    error_message = "A secret setting is a reference to one version in Secret Manager."
  }

  assert {
    condition = alltrue(flatten([
      for function in concat([module.create_store, module.console, module.billing_event, module.stripe_webhook], values(module.provision), values(module.reconcile)) : [
        for probe in concat(function.service.template[0].containers[0].startup_probe, function.service.template[0].containers[0].liveness_probe) :
        join(" ", probe.http_get[*].path) == "/health"
      ]
    ]))
    error_message = "Each function is probed by the path that its launcher answers."
  }

  assert {
    condition = alltrue([
      for backend in google_compute_backend_service.api : backend.security_policy == google_compute_security_policy.api.id
    ])
    error_message = "Cloud Armor stands before everything public."
  }

  assert {
    condition = alltrue([
      for function in concat([module.create_store, module.billing_event, module.stripe_webhook], values(module.provision), values(module.reconcile)) :
      !contains(function.service.template[0].containers[0].env[*].name, "URUMI_OIDC_CLIENT_SECRETS")
    ])
    error_message = "Only the console proves to an identity provider who we are."
  }

  assert {
    condition     = google_cloud_run_v2_job.migrate.template[0].template[0].containers[0].image == var.image
    error_message = "Migrations come from the image that they are for."
  }

  assert {
    condition     = google_cloud_run_v2_job.migrate.run_execution_token != null
    error_message = "An apply with a new image runs its migrations."
  }
}

run "latest_is_no_version" {
  command = plan

  variables {
    secret_versions = { URUMI_CREDENTIALS_KEYS = "latest", URUMI_LOGIN_KEYS = "1" }
  }

  expect_failures = [var.secret_versions]
}

run "a_tag_is_no_image" {
  command = plan

  variables {
    image = "europe-west1-docker.pkg.dev/urumi-dev/urumi/control-plane:newest"
  }

  expect_failures = [var.image]
}

run "no_shop_beside_the_api" {
  command = plan

  variables {
    api_domain      = "api.shops.example"
    new_stores_cell = "one"
    cells = {
      one = {
        region = "europe-west1"
        domain = "shops.example"
        ranges = { nodes = "10.10.0.0/22", pods = "10.64.0.0/16", services = "10.20.0.0/20" }
        most   = { cpu = 32, memory = 128 }
      }
    }
  }

  expect_failures = [var.api_domain]
}
