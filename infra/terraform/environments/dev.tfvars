environment = "dev"
project     = "urumi-dev"
region      = "europe-west1"
protected   = false

api_domain = "api.dev.urumi.example"

new_stores_cell = "dev-1"
cells = {
  dev-1 = {
    region = "europe-west1"
    domain = "shops-dev.example"
    ranges = { nodes = "10.10.0.0/22", pods = "10.64.0.0/16", services = "10.20.0.0/20" }
    most   = { cpu = 32, memory = 128 }
  }
}

# db-g1-small has 1.7 GB.
database = { tier = "db-g1-small", highly_available = false, max_connections = 50 }

# 2×5 + 1×5 + 4×2 + 1×3 + 2×3 + 1×3 = 35 connections of 40. A second cell is 4×2 + 1×3 = 11 more.
functions = {
  create-store   = { concurrency = 4, threads = 5, max_instances = 2, timeout = 30 }
  console        = { concurrency = 4, threads = 5, max_instances = 1, timeout = 30 }
  provision      = { concurrency = 1, threads = 2, max_instances = 4, timeout = 300, memory = "1Gi" }
  reconcile      = { concurrency = 2, threads = 3, max_instances = 1, timeout = 120, memory = "1Gi" }
  billing-event  = { concurrency = 2, threads = 3, max_instances = 2, timeout = 60 }
  stripe-webhook = { concurrency = 2, threads = 3, max_instances = 1, timeout = 30 }
}
functions_range = "10.0.0.0/24"

backup_days = { kept = 1, locked = false, removed = 14 }

image = "europe-west1-docker.pkg.dev/urumi-dev/urumi/functions@sha256:0000000000000000000000000000000000000000000000000000000000000000"
store_images = {
  store    = "europe-west1-docker.pkg.dev/urumi-dev/urumi/store@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  database = "europe-west1-docker.pkg.dev/urumi-dev/urumi/database@sha256:0000000000000000000000000000000000000000000000000000000000000000"
}

secret_versions = {
  URUMI_CREDENTIALS_KEYS = "1"
  URUMI_LOGIN_KEYS       = "1"
}
operators = ["operator@urumi.example"]
