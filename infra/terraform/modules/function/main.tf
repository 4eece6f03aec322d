# One function: a Cloud Run service, who may call it, and the secrets that it may read. Every other grant stands
# beside the thing that it grants on.

resource "google_secret_manager_secret_iam_member" "this" {
  for_each = var.secrets

  secret_id = each.value.secret
  role      = "roles/secretmanager.secretAccessor"
  member    = var.account.member
}

resource "google_cloud_run_v2_service" "this" {
  name                 = var.name
  location             = var.function.region
  deletion_protection  = var.function.protected
  ingress              = var.public ? "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER" : "INGRESS_TRAFFIC_INTERNAL_ONLY"
  default_uri_disabled = var.public # there is no way in beside the load balancer
  invoker_iam_disabled = var.public # it looks itself who is asking

  template {
    service_account                  = var.account.email
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    timeout                          = "${var.size.timeout}s"
    max_instance_request_concurrency = var.size.concurrency

    scaling {
      min_instance_count = var.size.min_instances
      max_instance_count = var.size.max_instances
    }

    containers {
      image = var.function.image

      ports {
        container_port = 8080
      }

      resources {
        limits            = { cpu = var.size.cpu, memory = var.size.memory }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      # The launcher answers this before the function does.
      startup_probe {
        period_seconds    = 2
        timeout_seconds   = 2
        failure_threshold = 30
        http_get {
          path = "/health"
        }
      }

      liveness_probe {
        period_seconds    = 30
        timeout_seconds   = 10
        failure_threshold = 3
        http_get {
          path = "/health"
        }
      }

      dynamic "env" {
        for_each = merge(var.environment, {
          FUNCTION_TARGET      = var.target
          GOOGLE_CLOUD_PROJECT = var.function.project
          THREADS              = tostring(var.size.threads)
        })
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = var.secrets
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = env.value.secret
              version = env.value.version
            }
          }
        }
      }
    }

    vpc_access {
      egress = "PRIVATE_RANGES_ONLY"
      network_interfaces {
        network    = var.function.network
        subnetwork = var.function.subnetwork
      }
    }
  }

  lifecycle {
    precondition {
      condition     = var.size.threads > var.size.concurrency
      error_message = "${var.name} needs more threads, each with a connection, than requests at once: a probe needs one, and so does what renews a lease."
    }
  }

  depends_on = [var.function, google_secret_manager_secret_iam_member.this]
}

resource "google_cloud_run_v2_service_iam_member" "invokers" {
  for_each = var.invokers

  name     = google_cloud_run_v2_service.this.name
  location = google_cloud_run_v2_service.this.location
  role     = "roles/run.invoker"
  member   = each.value
}
