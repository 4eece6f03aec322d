# Migrations run before new code: each apply with another image executes the job and waits for it, and no service
# gets the image before (`after` in functions.tf). They are such that the code before them still works;
# README.md, A new version, has the exception.
#
# The job is made anew each time. One that was only changed would keep its new image in the state when its execution
# fails, so that the next apply would go on without migrations; one that could not be made is made again.

resource "google_service_account" "migrate" {
  account_id   = "migrate"
  display_name = "Migrations: owns the schema"

  depends_on = [google_project_service.apis]
}

resource "terraform_data" "migrations" {
  triggers_replace = [var.image, local.migrate_arguments]
}

resource "google_cloud_run_v2_job" "migrate" {
  name                = "migrate"
  location            = var.region
  deletion_protection = false # it keeps nothing

  # It is executed when it is made, and the apply waits for the end of that.
  run_execution_token = substr(sha256(jsonencode([var.image, local.migrate_arguments])), 0, 8)

  template {
    task_count = 1

    template {
      service_account       = google_service_account.migrate.email
      execution_environment = "EXECUTION_ENVIRONMENT_GEN2"
      max_retries           = 3 # rights that were granted just now take minutes to count
      timeout               = "600s"

      containers {
        image   = var.image
        command = ["python", "-m", "control_plane.migrate"]
        args    = local.migrate_arguments

        resources {
          limits = { cpu = "1", memory = "512Mi" }
        }

        env {
          name  = "DATABASE_URL"
          value = "postgresql+pg8000://${replace(google_sql_user.migrate.name, "@", "%40")}@${local.database_address}"
        }

        env {
          name  = "URUMI_DATABASE_CA"
          value = local.database_ca
        }
      }

      vpc_access {
        egress = "PRIVATE_RANGES_ONLY"
        network_interfaces {
          network    = google_compute_network.this.id
          subnetwork = google_compute_subnetwork.functions.id
        }
      }
    }
  }

  lifecycle {
    replace_triggered_by = [terraform_data.migrations]
  }

  depends_on = [google_project_iam_member.database_users]
}

locals {
  migrate_arguments = concat(
    flatten([for name in keys(var.cells) : ["--cell", name]]),
    flatten([for name, member in local.database_members : ["--member", "${member.role}=${google_sql_user.functions[name].name}"]]),
    flatten([for operator in google_sql_user.operators : ["--member", "urumi_operator=${operator.name}"]]),
  )
}
