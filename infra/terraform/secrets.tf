# Empty boxes: values are put in by hand (README.md) and never pass through Terraform, so that no state has one.
# Which version a function gets is pinned by `secret_versions`; a secret without a version there is not used yet.

locals {
  secrets = {
    URUMI_CREDENTIALS_KEYS      = "credentials-keys"
    URUMI_LOGIN_KEYS            = "login-keys"
    URUMI_OIDC_CLIENT_SECRETS   = "oidc-client-secrets"
    URUMI_STRIPE_WEBHOOK_SECRET = "stripe-webhook-secret"
    URUMI_STRIPE_API_KEY        = "stripe-api-key"
  }

  # What a module's `secrets` take, by setting.
  pinned = {
    for setting, version in var.secret_versions : setting => {
      secret  = google_secret_manager_secret.secrets[setting].secret_id
      version = version
    }
  }
}

resource "google_secret_manager_secret" "secrets" {
  for_each = local.secrets

  secret_id           = each.value
  deletion_protection = var.protected

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  # A version that was destroyed by mistake can be called back.
  version_destroy_ttl = "604800s"

  depends_on = [google_project_service.apis]
}
