# The only truth. No public address; who connects is an IAM identity, over TLS that is checked against the instance's own authority.

locals {
  # Who may log in, and as a member of which role of the migrations. stripe-webhook tells the same facts as
  # billing-event.
  database_roles = {
    create-store   = "urumi_create_store"
    console        = "urumi_console"
    provision      = "urumi_provision"
    reconcile      = "urumi_reconcile"
    billing-event  = "urumi_billing_event"
    stripe-webhook = "urumi_billing_event"
  }
  database_members = {
    for name, service in local.services : name => {
      account = google_service_account.functions[name].email
      role    = local.database_roles[service.function]
    }
  }
  database_address = "${google_sql_database_instance.urumi.private_ip_address}:5432/${google_sql_database.urumi.name}"
  database_ca      = join("\n", data.google_sql_ca_certs.urumi.certs[*].cert) # two while it is rotated

  # What all instances can open at once. The rest is for migrations, operators and the server itself.
  database_budget = floor(var.database.max_connections * 0.8)
  database_demand = sum([
    for name, size in var.functions :
    size.max_instances * size.threads * (contains(local.of_a_cell, name) ? length(var.cells) : 1)
  ])
}

resource "google_sql_database_instance" "urumi" {
  name                = "urumi"
  region              = var.region
  database_version    = "POSTGRES_15" # what the tests run on
  deletion_protection = var.protected

  settings {
    tier                        = var.database.tier
    edition                     = "ENTERPRISE"
    availability_type           = var.database.highly_available ? "REGIONAL" : "ZONAL"
    disk_type                   = "PD_SSD"
    disk_size                   = 10
    disk_autoresize             = true
    disk_autoresize_limit       = 200
    deletion_protection_enabled = var.protected
    retain_backups_on_delete    = var.protected

    ip_configuration {
      ipv4_enabled    = false
      private_network = google_compute_network.this.id
      ssl_mode        = "ENCRYPTED_ONLY"
      server_ca_mode  = "GOOGLE_MANAGED_INTERNAL_CA" # of this instance alone: being of it is its identity
    }

    backup_configuration {
      enabled                        = true
      start_time                     = "03:00"
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = 7

      backup_retention_settings {
        retained_backups = var.protected ? 30 : 7
      }
    }

    maintenance_window {
      day          = 7
      hour         = 4
      update_track = "stable"
    }

    insights_config {
      query_insights_enabled  = true
      record_application_tags = false
      record_client_address   = false
    }

    dynamic "database_flags" {
      for_each = {
        "cloudsql.iam_authentication" = "on"
        max_connections               = tostring(var.database.max_connections)
        log_checkpoints               = "on"
        log_connections               = "on"
        log_disconnections            = "on"
        log_hostname                  = "on"
        log_lock_waits                = "on"
        log_min_duration_statement    = "-1" # a statement may hold what a tenant typed
        log_min_messages              = "warning"
        log_statement                 = "ddl"
      }
      content {
        name  = database_flags.key
        value = database_flags.value
      }
    }
  }

  lifecycle {
    precondition {
      condition     = local.database_demand <= local.database_budget
      error_message = "All instances of the functions could open ${local.database_demand} connections, more than 80 % of max_connections, which are ${local.database_budget}: lower max_instances or threads in `functions`, or take a larger `database`."
    }
  }

  depends_on = [google_service_networking_connection.services]
}

data "google_sql_ca_certs" "urumi" {
  instance = google_sql_database_instance.urumi.name
}

resource "google_sql_database" "urumi" {
  name     = "urumi"
  instance = google_sql_database_instance.urumi.name

  deletion_policy = "ABANDON" # it goes with the instance; what owns tables cannot go before
}

resource "google_sql_user" "functions" {
  for_each = local.database_members

  instance = google_sql_database_instance.urumi.name
  type     = "CLOUD_IAM_SERVICE_ACCOUNT"
  name     = trimsuffix(each.value.account, ".gserviceaccount.com")

  deletion_policy = "ABANDON" # it goes with the instance; what owns tables cannot go before
}

# Owns the schema: by this role, whose the database is. That it may make roles is said once, by hand (README.md).
resource "google_sql_user" "migrate" {
  instance       = google_sql_database_instance.urumi.name
  type           = "CLOUD_IAM_SERVICE_ACCOUNT"
  name           = trimsuffix(google_service_account.migrate.email, ".gserviceaccount.com")
  database_roles = ["cloudsqlsuperuser"]

  deletion_policy = "ABANDON" # it goes with the instance; what owns tables cannot go before
}

resource "google_sql_user" "operators" {
  for_each = var.operators

  instance = google_sql_database_instance.urumi.name
  type     = "CLOUD_IAM_USER"
  name     = each.key

  deletion_policy = "ABANDON" # it goes with the instance; what owns tables cannot go before
}

# To log in as themselves, there and nowhere else. What they may do in the database the migrations say.
resource "google_project_iam_member" "database_users" {
  for_each = merge(
    { for name, member in local.database_members : name => "serviceAccount:${member.account}" },
    { migrate = google_service_account.migrate.member },
    { for operator in var.operators : operator => "user:${operator}" },
  )

  project = var.project
  role    = "roles/cloudsql.instanceUser"
  member  = each.value

  condition {
    title      = "urumi only"
    expression = "resource.type == 'sqladmin.googleapis.com/Instance' && resource.name == 'projects/${var.project}/instances/urumi'"
  }
}
