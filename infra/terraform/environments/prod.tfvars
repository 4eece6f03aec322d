environment = "prod"
project     = "urumi-prod"
region      = "europe-west1"
protected   = true

api_domain = "api.urumi.example"

new_stores_cell = "eu-1"
cells = {
  eu-1 = {
    region  = "europe-west1"
    domain  = "shops.example"
    ranges  = { nodes = "10.10.0.0/20", pods = "10.64.0.0/14", services = "10.20.0.0/18" }
    most    = { cpu = 512, memory = 2048 }
    sandbox = true
  }
}

# 2 CPUs, 8 GB.
database = { tier = "db-custom-2-8192", highly_available = true, max_connections = 400 }

# 12×9 + 4×9 + 40×2 + 2×5 + 8×5 + 4×5 = 294 connections of 320. A second cell is 40×2 + 2×5 = 90 more.
functions = {
  create-store   = { concurrency = 8, threads = 9, max_instances = 12, min_instances = 1, timeout = 30 }
  console        = { concurrency = 8, threads = 9, max_instances = 4, min_instances = 1, timeout = 30 }
  provision      = { concurrency = 1, threads = 2, max_instances = 40, timeout = 300, memory = "1Gi" }
  reconcile      = { concurrency = 4, threads = 5, max_instances = 2, timeout = 120, memory = "1Gi" }
  billing-event  = { concurrency = 4, threads = 5, max_instances = 8, timeout = 60 }
  stripe-webhook = { concurrency = 4, threads = 5, max_instances = 4, timeout = 30 }
}
functions_range = "10.0.0.0/22"

backup_days = { kept = 7, locked = true, removed = 90 }

image = "europe-west1-docker.pkg.dev/urumi-prod/urumi/functions@sha256:0000000000000000000000000000000000000000000000000000000000000000"
store_images = {
  store    = "europe-west1-docker.pkg.dev/urumi-prod/urumi/store@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  database = "europe-west1-docker.pkg.dev/urumi-prod/urumi/database@sha256:0000000000000000000000000000000000000000000000000000000000000000"
}

secret_versions = {
  URUMI_CREDENTIALS_KEYS      = "1"
  URUMI_LOGIN_KEYS            = "1"
  URUMI_OIDC_CLIENT_SECRETS   = "1"
  URUMI_STRIPE_WEBHOOK_SECRET = "1"
  URUMI_STRIPE_API_KEY        = "1"
}
login_public_keys = {}
oidc_issuers = [{
  issuer         = "https://id.urumi.example"
  audience       = "urumi"
  sign_in        = true
  customer_claim = "org_id"
}]
operators               = ["operator@urumi.example"]
billing_publishers      = ["serviceAccount:billing@urumi-billing.iam.gserviceaccount.com"]
store_event_subscribers = []
