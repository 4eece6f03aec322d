# terraform test -var-file=environments/prod.tfvars

mock_provider "google" {
  source = "./tests/mocks"
}

run "messages" {
  assert {
    condition     = alltrue([for push in google_pubsub_subscription.pushes : push.ack_deadline_seconds == 600])
    error_message = "Every push subscription waits 600 s: sooner, a message is delivered again beside the request that still runs."
  }

  assert {
    condition     = alltrue([for push in google_pubsub_subscription.pushes : length(push.dead_letter_policy) == 1])
    error_message = "Every push subscription has dead letters."
  }

  assert {
    condition = alltrue([
      for push in google_pubsub_subscription.pushes :
      contains([for dead in google_pubsub_subscription.dead : dead.topic], push.dead_letter_policy[0].dead_letter_topic)
    ])
    error_message = "Every dead letter topic has a subscription: without one a letter is lost."
  }

  assert {
    condition = alltrue([
      for name, push in local.pushes :
      google_pubsub_subscription.pushes[name].push_config[0].oidc_token[0].audience == push.to.service.uri
    ])
    error_message = "The audience of a push's token is the URI of the service that it calls."
  }

  assert {
    condition = alltrue([
      for name, push in local.pushes :
      startswith(google_pubsub_subscription.pushes[name].push_config[0].push_endpoint, push.to.service.uri)
    ])
    error_message = "A push calls the service that its token is for."
  }

  assert {
    condition = alltrue([
      for push in local.pushes :
      contains([for caller in push.to.invokers : caller.member], google_service_account.push.member)
    ])
    error_message = "Pub/Sub's pushing account may call each function that it pushes to."
  }

  assert {
    condition = alltrue([
      for name, push in local.pushes :
      google_pubsub_subscription.pushes[name].push_config[0].push_endpoint
      == "${push.to.uri}/projects/${var.project}/topics/${push.topic}" if push.topic != "rollouts"
    ])
    error_message = "The path of a push says its topic: from it the framework tells the event's source."
  }

  assert {
    condition     = alltrue([for one in google_pubsub_subscription.pushes : one.expiration_policy[0].ttl == ""]) && alltrue([for one in google_pubsub_subscription.dead : one.expiration_policy[0].ttl == ""])
    error_message = "No subscription expires because it was quiet."
  }

  assert {
    condition = alltrue([
      for name, push in local.pushes :
      google_pubsub_topic_iam_member.dead[push.topic].topic == google_pubsub_topic.dead[push.topic].name
      && google_pubsub_topic_iam_member.dead[push.topic].role == "roles/pubsub.publisher"
      && google_pubsub_subscription_iam_member.dead[name].subscription == google_pubsub_subscription.pushes[name].name
      && google_pubsub_subscription_iam_member.dead[name].role == "roles/pubsub.subscriber"
    ])
    error_message = "The broker may take a letter from each subscription and put it on the topic for dead ones."
  }

  assert {
    condition = length(setsubtract(
      [
        for grant in concat(values(google_pubsub_topic_iam_member.billing), values(google_pubsub_topic_iam_member.publishers), values(google_pubsub_topic_iam_member.operators)) :
        grant.member if grant.topic == "billing-events"
      ],
      setunion(var.billing_publishers, [for operator in var.operators : "user:${operator}"])
    )) == 0
    error_message = "Nobody but billing's own accounts, and operators, tells what happened to subscriptions."
  }

  assert {
    condition     = google_service_account_iam_member.push.service_account_id == google_service_account.push.name && google_service_account_iam_member.push.member == local.pubsub_agent
    error_message = "The broker may make tokens for the account that it pushes as."
  }

  assert {
    condition = alltrue([
      for cell, job in google_cloud_scheduler_job.reconcile :
      job.http_target[0].oidc_token[0].audience == module.reconcile[cell].service.uri && startswith(job.http_target[0].uri, module.reconcile[cell].service.uri)
    ])
    error_message = "The scheduler calls each cell's reconcile, and the audience of its token is the URI of that."
  }

  assert {
    condition     = toset(keys(google_cloud_scheduler_job.reconcile)) == toset(keys(var.cells)) && alltrue([for job in google_cloud_scheduler_job.reconcile : job.schedule == "* * * * *"])
    error_message = "There is a pass of each cell every minute."
  }
}
