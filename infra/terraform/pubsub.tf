# Pub/Sub only wakes people up: what must not be lost is in the database. Direct push subscriptions rather than
# Eventarc, which computes its subscriptions and lets nobody set their deadline or dead letters (decision 27).

locals {
  topics = toset(["store-intents", "billing-events", "rollouts"])

  # Each subscription that pushes: of which topic, whom, how often before it gives up, and for which cell.
  pushes = merge(
    {
      billing-events-billing-event = {
        topic    = "billing-events"
        to       = module.billing_event
        path     = "/projects/${var.project}/topics/billing-events"
        attempts = 100 # the most that there is: nobody but the broker has the fact
        backoff  = { least = "10s", most = "60s" }
        filter   = null
      }
    },
    {
      for cell, function in module.provision : "store-intents-provision-${cell}" => {
        topic    = "store-intents"
        to       = function
        path     = "/projects/${var.project}/topics/store-intents" # from which the framework tells the source
        attempts = 10
        backoff  = { least = "10s", most = "600s" }
        filter   = local.of_cell[cell]
      }
    },
    {
      for cell, function in module.reconcile : "rollouts-reconcile-${cell}" => {
        topic    = "rollouts"
        to       = function
        path     = "/"
        attempts = 5 # the next minute's tick does the same
        backoff  = { least = "10s", most = "60s" }
        filter   = local.of_cell[cell]
      }
    },
  )

  # A message for no cell, such as a parked one that an operator publishes again, goes to all: whose store it is the
  # row says. Another filter is another subscription, and what waited in the old one is gone: passes say it again.
  of_cell = { for name in keys(var.cells) : name => "attributes.cell = \"${name}\" OR NOT attributes:cell" }

  publishers = merge(
    {
      create-store   = { topic = google_pubsub_topic.topics["store-intents"].name, member = module.create_store.member }
      console        = { topic = google_pubsub_topic.topics["store-intents"].name, member = module.console.member }
      billing-event  = { topic = google_pubsub_topic.topics["store-intents"].name, member = module.billing_event.member }
      stripe-webhook = { topic = google_pubsub_topic.topics["store-intents"].name, member = module.stripe_webhook.member }
    },
    { for cell, function in module.provision : "provision-${cell}" => { topic = google_pubsub_topic.topics["rollouts"].name, member = function.member } },
    { for cell, function in module.reconcile : "reconcile-${cell}" => { topic = google_pubsub_topic.topics["store-intents"].name, member = function.member } },
    { for cell, function in module.reconcile : "reconcile-${cell}-out" => { topic = google_pubsub_topic.store_events.name, member = function.member } },
  )

  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_topic" "topics" {
  for_each = local.topics

  name = each.key

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.apis]
}

resource "google_pubsub_topic" "dead" {
  for_each = local.topics

  name = "${each.key}-dead"

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.apis]
}

# What happened to stores, for other systems.
resource "google_pubsub_topic" "store_events" {
  name                       = "store-events"
  message_retention_duration = "604800s"

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.apis]
}

# Whose token a push carries. It may call the functions below and nothing else.
resource "google_service_account" "push" {
  account_id   = "pubsub-push"
  display_name = "Pub/Sub, pushing to the functions"
}

resource "google_service_account_iam_member" "push" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent
}

resource "google_pubsub_subscription" "pushes" {
  for_each = local.pushes

  name                 = each.key
  topic                = google_pubsub_topic.topics[each.value.topic].id
  filter               = each.value.filter
  ack_deadline_seconds = 600

  push_config {
    push_endpoint = "${each.value.to.uri}${each.value.path}"

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = each.value.to.uri
    }
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead[each.value.topic].id
    max_delivery_attempts = each.value.attempts
  }

  retry_policy {
    minimum_backoff = each.value.backoff.least
    maximum_backoff = each.value.backoff.most
  }

  expiration_policy {
    ttl = "" # never, however quiet it is
  }

  depends_on = [google_pubsub_topic_iam_member.dead] # what fails before the broker may put it there is lost
}

# Read by reconcile, into the table that operators see; of `rollouts` by nobody but the alert.
resource "google_pubsub_subscription" "dead" {
  for_each = local.topics

  name                       = "${each.key}-dead"
  topic                      = google_pubsub_topic.dead[each.key].id
  ack_deadline_seconds       = 60
  message_retention_duration = each.key == "rollouts" ? "86400s" : "604800s"

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_topic_iam_member" "publishers" {
  for_each = local.publishers

  topic  = each.value.topic
  role   = "roles/pubsub.publisher"
  member = each.value.member
}

# A billing system in its own project, and nobody else but operators, who publish a parked fact again.
resource "google_pubsub_topic_iam_member" "billing" {
  for_each = var.billing_publishers

  topic  = google_pubsub_topic.topics["billing-events"].name
  role   = "roles/pubsub.publisher"
  member = each.key
}

resource "google_pubsub_topic_iam_member" "listeners" {
  for_each = var.store_event_subscribers

  topic  = google_pubsub_topic.store_events.name
  role   = "roles/pubsub.subscriber"
  member = each.key
}

resource "google_pubsub_topic_iam_member" "operators" {
  for_each = { for pair in setproduct(var.operators, ["store-intents", "billing-events"]) : join(" ", pair) => pair }

  topic  = google_pubsub_topic.topics[each.value[1]].name
  role   = "roles/pubsub.publisher"
  member = "user:${each.value[0]}"
}

resource "google_pubsub_subscription_iam_member" "reconcile" {
  for_each = { for pair in setproduct(["store-intents", "billing-events"], keys(var.cells)) : join(" ", pair) => pair }

  subscription = google_pubsub_subscription.dead[each.value[0]].name
  role         = "roles/pubsub.subscriber"
  member       = module.reconcile[each.value[1]].member
}

# The broker itself moves dead letters: it takes them from the subscription and publishes them on the topic.
resource "google_pubsub_topic_iam_member" "dead" {
  for_each = local.topics

  topic  = google_pubsub_topic.dead[each.key].name
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead" {
  for_each = local.pushes

  subscription = google_pubsub_subscription.pushes[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
