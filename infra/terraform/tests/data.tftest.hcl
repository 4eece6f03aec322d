mock_provider "google" {
  source = "./tests/mocks"
}

run "data" {
  assert {
    condition     = !google_sql_database_instance.urumi.settings[0].ip_configuration[0].ipv4_enabled && length(google_sql_database_instance.urumi.settings[0].ip_configuration[0].authorized_networks) == 0
    error_message = "The database has no public address."
  }

  assert {
    condition     = google_sql_database_instance.urumi.settings[0].ip_configuration[0].ssl_mode == "ENCRYPTED_ONLY"
    error_message = "The database takes no connection in the clear."
  }

  assert {
    condition     = contains([for flag in google_sql_database_instance.urumi.settings[0].database_flags : "${flag.name}=${flag.value}"], "cloudsql.iam_authentication=on")
    error_message = "Who connects to the database is an IAM identity."
  }

  assert {
    condition = length(setsubtract(
      ["log_checkpoints=on", "log_connections=on", "log_disconnections=on", "log_hostname=on", "log_lock_waits=on", "log_min_messages=warning", "log_statement=ddl", "log_min_duration_statement=-1"],
      [for flag in google_sql_database_instance.urumi.settings[0].database_flags : "${flag.name}=${flag.value}"]
    )) == 0
    error_message = "The database logs who comes, who waits and what changes it, and no statement with what a tenant typed."
  }

  assert {
    condition     = google_sql_database_instance.urumi.settings[0].backup_configuration[0].enabled && google_sql_database_instance.urumi.settings[0].backup_configuration[0].point_in_time_recovery_enabled
    error_message = "The database can be brought back to any moment of the last days."
  }

  assert {
    condition = alltrue([
      for user in concat(values(google_sql_user.functions), values(google_sql_user.operators), [google_sql_user.migrate]) :
      startswith(user.type, "CLOUD_IAM_") && user.password == null && user.password_wo == null
    ])
    error_message = "No user of the database has a password."
  }

  assert {
    condition     = length(distinct([for user in google_sql_user.functions : user.name])) == 6
    error_message = "Each function is another user of the database."
  }

  assert {
    condition     = var.environment != "prod" || var.protected
    error_message = "prod is protected."
  }

  assert {
    condition = !var.protected || (
      google_sql_database_instance.urumi.deletion_protection
      && google_sql_database_instance.urumi.settings[0].deletion_protection_enabled
      && alltrue([for cell in google_container_cluster.cell : cell.deletion_protection])
      && alltrue([for secret in google_secret_manager_secret.secrets : secret.deletion_protection])
      && !google_storage_bucket.backups.force_destroy
      && alltrue([for function in concat([module.create_store, module.console, module.billing_event, module.stripe_webhook], values(module.provision), values(module.reconcile)) : function.service.deletion_protection])
    )
    error_message = "Where it is protected, whatever holds data or serves refuses to be removed."
  }

  assert {
    condition     = var.environment != "prod" || google_storage_bucket.backups.retention_policy[0].is_locked
    error_message = "In prod nobody removes a backup before its time."
  }

  assert {
    condition     = google_storage_bucket.backups.public_access_prevention == "enforced" && google_storage_bucket.backups.uniform_bucket_level_access
    error_message = "Backups are never public."
  }

  assert {
    condition     = google_storage_bucket_iam_member.backups.role == "roles/storage.objectCreator"
    error_message = "Who uploads backups can neither read, replace nor remove one."
  }
}

run "rotation" {
  assert {
    condition     = length(regexall("BEGIN CERTIFICATE", local.database_ca)) == 2
    error_message = "Functions know both authorities while the database's is rotated."
  }
}

run "as_many_connections_as_the_database_holds" {
  command = plan

  variables {
    database = { tier = "db-custom-2-8192", highly_available = false, max_connections = 35 } # 28 are 80 %
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

run "one_connection_more" {
  command = plan

  variables {
    database = { tier = "db-custom-2-8192", highly_available = false, max_connections = 35 }
    functions = {
      create-store   = { concurrency = 7, threads = 9, max_instances = 1, timeout = 30 }
      console        = { concurrency = 3, threads = 4, max_instances = 1, timeout = 30 }
      provision      = { concurrency = 1, threads = 4, max_instances = 1, timeout = 300 }
      reconcile      = { concurrency = 3, threads = 4, max_instances = 1, timeout = 120 }
      billing-event  = { concurrency = 3, threads = 4, max_instances = 1, timeout = 60 }
      stripe-webhook = { concurrency = 3, threads = 4, max_instances = 1, timeout = 30 }
    }
  }

  expect_failures = [google_sql_database_instance.urumi]
}
