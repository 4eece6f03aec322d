# Where stores' backups go. No code writes there yet; the bucket and the account are ready for it: a store's pod
# gets a signed URL for one object, for minutes, and no credentials.

resource "google_storage_bucket" "backups" {
  name                        = "${var.project}-backups"
  location                    = var.region
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.protected

  # A locked policy is for good: neither an administrator nor whoever has become one removes a backup before its time.
  retention_policy {
    retention_period = var.backup_days.kept * 86400
    is_locked        = var.backup_days.locked
  }

  soft_delete_policy {
    retention_duration_seconds = 604800
  }

  lifecycle_rule {
    action {
      type          = "SetStorageClass"
      storage_class = "NEARLINE"
    }
    condition {
      age                   = 7
      matches_storage_class = ["STANDARD"]
    }
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = var.backup_days.removed
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }

  depends_on = [google_project_service.apis]
}

# In whose name URLs are signed. It may put objects there, and neither read, replace nor remove one.
resource "google_service_account" "backups" {
  account_id   = "backups"
  display_name = "Uploads of backups, by signed URL"
}

resource "google_storage_bucket_iam_member" "backups" {
  bucket = google_storage_bucket.backups.name
  role   = "roles/storage.objectCreator"
  member = google_service_account.backups.member
}

resource "google_project_iam_custom_role" "url_signer" {
  role_id     = "urumi.urlSigner"
  title       = "Signer of URLs"
  description = "Signs in an account's name; makes no tokens of it."
  permissions = ["iam.serviceAccounts.signBlob"]

  depends_on = [google_project_service.apis]
}

resource "google_service_account_iam_member" "url_signer" {
  for_each = module.provision

  service_account_id = google_service_account.backups.name
  role               = google_project_iam_custom_role.url_signer.id
  member             = each.value.member
}
