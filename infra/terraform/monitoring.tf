# What wakes somebody up: each alert says what to do. Whatever can wait stands in `urumi queue` and `urumi doctor`.

locals {
  alerts = {
    dead-letters = {
      title     = "Messages that nobody could deliver wait"
      filter    = "resource.type = \"pubsub_subscription\" AND metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.labels.subscription_id = monitoring.regex.full_match(\".*-dead\")"
      aligner   = "ALIGN_MIN"
      over      = 0
      duration  = "600s" # a pass takes them to the database within minutes
      what_then = "`urumi queue list` shows what came that far, and reconcile's log why it did not take it: docs/operating.md, Messages that nobody can act on. Letters of `rollouts` are read by nobody and go after a day: the next tick did what they asked for."
    }
    messages-wait = {
      title     = "Intents wait for provision"
      filter    = "resource.type = \"pubsub_subscription\" AND metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND resource.labels.subscription_id = monitoring.regex.full_match(\".*-(provision-.*|billing-event)\")"
      aligner   = "ALIGN_MAX"
      over      = 900
      duration  = "300s"
      what_then = "Look at provision's log and its number of instances; `urumi doctor` says which stores wait."
    }
    functions-fail = {
      title     = "A function answers 5xx"
      filter    = "resource.type = \"cloud_run_revision\" AND metric.type = \"run.googleapis.com/request_count\" AND metric.labels.response_code_class = \"5xx\""
      aligner   = "ALIGN_RATE"
      over      = 0.1
      duration  = "300s"
      what_then = "The function's log has the error with its request id. After a deployment: apply the image before."
    }
    database-connections = {
      title     = "The database's connections run out"
      filter    = "resource.type = \"cloudsql_database\" AND metric.type = \"cloudsql.googleapis.com/database/postgresql/num_backends\""
      aligner   = "ALIGN_MAX"
      over      = local.database_budget
      duration  = "300s"
      what_then = "The functions cannot open that many: look who else is connected (pg_stat_activity)."
    }
    database-disk = {
      title     = "The database's disk is filling"
      filter    = "resource.type = \"cloudsql_database\" AND metric.type = \"cloudsql.googleapis.com/database/disk/utilization\""
      aligner   = "ALIGN_MAX"
      over      = 0.9
      duration  = "600s"
      what_then = "It grows by itself up to its limit in database.tf. What grows: docs/operating.md, What is kept how long."
    }
  }
}

resource "google_monitoring_notification_channel" "operators" {
  for_each = var.operators

  display_name = each.key
  type         = "email"
  labels       = { email_address = each.key }

  depends_on = [google_project_service.apis]
}

resource "google_monitoring_alert_policy" "alerts" {
  for_each = local.alerts

  display_name          = each.value.title
  combiner              = "OR"
  notification_channels = [for channel in google_monitoring_notification_channel.operators : channel.id]

  conditions {
    display_name = each.value.title

    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.over
      duration        = each.value.duration

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = each.value.aligner
      }
    }
  }

  documentation {
    content   = each.value.what_then
    mime_type = "text/markdown"
  }
}

# No pass for a while: ticks fail, or none comes.
resource "google_monitoring_alert_policy" "no_pass" {
  for_each = module.reconcile

  display_name          = "${each.value.name} has answered nobody for ten minutes"
  combiner              = "OR"
  notification_channels = [for channel in google_monitoring_notification_channel.operators : channel.id]

  conditions {
    display_name = "no 2xx of ${each.value.name}"

    condition_absent {
      filter   = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"${each.value.name}\" AND metric.type = \"run.googleapis.com/request_count\" AND metric.labels.response_code_class = \"2xx\""
      duration = "600s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_RATE"
      }
    }
  }

  documentation {
    content   = "Nothing of the cell becomes READY and no dead store is seen without passes. Look at the scheduler's job and at the service's log: both are called ${each.value.name}."
    mime_type = "text/markdown"
  }
}

# What is asked from outside: each function by a path of its own, which it answers without the database.
locals {
  doors = {
    api = {
      title     = "API"
      path      = "/health"
      answer    = 200
      what_then = "The load balancer's log says whether requests come in, create-store's log what it does with them. Stores run on without it."
    }
    console = {
      title     = "Console"
      path      = "/"
      answer    = 401 # the way in, for whoever has no session
      what_then = "Nobody signs in or sees a page. The load balancer's log says whether requests come in, console's log what it does with them. The API and stores run on without it."
    }
  }
}

resource "google_monitoring_uptime_check_config" "doors" {
  for_each = local.doors

  display_name = each.value.title
  timeout      = "10s"
  period       = "60s"

  http_check {
    path         = each.value.path
    port         = 443
    use_ssl      = true
    validate_ssl = true

    accepted_response_status_codes {
      status_value = each.value.answer
    }
  }

  monitored_resource {
    type   = "uptime_url"
    labels = { project_id = var.project, host = var.api_domain }
  }
}

resource "google_monitoring_alert_policy" "doors" {
  for_each = local.doors

  display_name          = "${each.value.title}: no answer from outside"
  combiner              = "OR"
  notification_channels = [for channel in google_monitoring_notification_channel.operators : channel.id]

  conditions {
    display_name = "uptime check fails"

    condition_threshold {
      filter          = "resource.type = \"uptime_url\" AND metric.type = \"monitoring.googleapis.com/uptime_check/check_passed\" AND metric.labels.check_id = \"${google_monitoring_uptime_check_config.doors[each.key].uptime_check_id}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 1
      duration        = "120s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
        group_by_fields      = ["resource.label.host"]
      }
    }
  }

  documentation {
    content   = each.value.what_then
    mime_type = "text/markdown"
  }
}
