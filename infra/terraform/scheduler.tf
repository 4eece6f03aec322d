# A pass of each cell every minute. A tick that finds one running is answered at once; one that fails is followed by the next.

resource "google_service_account" "scheduler" {
  account_id   = "scheduler"
  display_name = "Cloud Scheduler, waking reconcile"
}

resource "google_cloud_scheduler_job" "reconcile" {
  for_each = module.reconcile

  name             = each.value.name
  region           = var.region
  schedule         = "* * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "120s"

  retry_config {
    retry_count = 0
  }

  http_target {
    uri         = "${each.value.uri}/"
    http_method = "POST"

    oidc_token {
      service_account_email = google_service_account.scheduler.email
      audience              = each.value.uri
    }
  }
}
