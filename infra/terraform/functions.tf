# The functions, in the order in which a store meets them. One image; the target picks the function.

locals {
  function = {
    project    = var.project
    region     = var.region
    image      = var.image
    network    = google_compute_network.this.id
    subnetwork = google_compute_subnetwork.functions.id
    protected  = var.protected
    after      = google_cloud_run_v2_job.migrate.id # no instance with new code before its migrations
  }

  # Those that look after one cell are a service of each for each cell, `provision-eu-1`.
  of_a_cell = ["provision", "reconcile"]
  services = merge(
    { for name in setsubtract(keys(var.functions), local.of_a_cell) : name => { function = name, cell = null } },
    { for pair in setproduct(local.of_a_cell, keys(var.cells)) : join("-", pair) => { function = pair[0], cell = pair[1] } },
  )

  # Each has a user of its own in the database.
  database_settings = {
    for name in keys(local.services) : name => {
      DATABASE_URL      = "postgresql+pg8000://${name}%40${var.project}.iam@${local.database_address}"
      URUMI_DATABASE_CA = local.database_ca
    }
  }

  common_settings = { PUBSUB_PROJECT_ID = var.project }
  new_stores_settings = {
    URUMI_NEW_STORES_CELL = var.new_stores_cell
    URUMI_BASE_DOMAIN     = var.cells[var.new_stores_cell].domain
  }
  # One host for API and console, so that a browser's session is one.
  public_settings = {
    URUMI_OIDC_ISSUERS = jsonencode(var.oidc_issuers)
    URUMI_PUBLIC_URL   = "https://${var.api_domain}"
  }
  cell_settings = {
    for name, cell in google_container_cluster.cell : name => {
      URUMI_CELL          = name
      URUMI_CELL_ENDPOINT = "https://${cell.control_plane_endpoints_config[0].dns_endpoint_config[0].endpoint}"
      URUMI_CELL_VALUES   = jsonencode(local.cell_values)
    }
  }

  # What all stores of the cell share: values of chart/.
  cell_values = {
    images       = var.store_images
    storageClass = "store"
    ingress = {
      className = "stores"
      controller = {
        namespace = "front-door"
        podLabels = {
          "app.kubernetes.io/name"     = "gateway"
          "app.kubernetes.io/instance" = "front-door"
        }
      }
    }
    login = { keys = var.login_public_keys }
  }
}

# Whom each runs as. Here, because the database lets them in before they run.
resource "google_service_account" "functions" {
  for_each = local.services

  account_id   = each.key
  display_name = "Function ${replace(each.value.function, "-", "_")}${each.value.cell == null ? "" : " of the cell ${each.value.cell}"}"
}

# The API. Reached through the load balancer only (front_door.tf), as the console is; it looks itself who is asking.
module "create_store" {
  source   = "./modules/function"
  name     = "create-store"
  account  = google_service_account.functions["create-store"]
  target   = "create_store"
  function = local.function
  size     = var.functions.create-store
  public   = true

  environment = merge(local.common_settings, local.database_settings.create-store, local.new_stores_settings, local.public_settings)
  secrets = {
    for setting, pinned in local.pinned : setting => pinned
    if contains(["URUMI_CREDENTIALS_KEYS", "URUMI_LOGIN_KEYS"], setting)
  }
}

# The web page for people, who sign in here: it alone proves to an identity provider who we are.
module "console" {
  source   = "./modules/function"
  name     = "console"
  account  = google_service_account.functions["console"]
  target   = "console"
  function = local.function
  size     = var.functions.console
  public   = true

  environment = merge(local.common_settings, local.database_settings.console, local.new_stores_settings, local.public_settings)
  secrets = {
    for setting, pinned in local.pinned : setting => pinned
    if contains(["URUMI_CREDENTIALS_KEYS", "URUMI_LOGIN_KEYS", "URUMI_OIDC_CLIENT_SECRETS"], setting)
  }
}

# Helm, one store at a time in an instance. No run waits for pods; helm is killed long before 300 s.
module "provision" {
  source   = "./modules/function"
  for_each = var.cells

  name     = "provision-${each.key}"
  account  = google_service_account.functions["provision-${each.key}"]
  target   = "provision"
  function = local.function
  size     = var.functions.provision
  invokers = { push = google_service_account.push.member }

  environment = merge(local.common_settings, local.database_settings["provision-${each.key}"], local.cell_settings[each.key], {
    URUMI_CELL_IDENTITY = jsonencode({ kind = "User", name = "provision-${each.key}@${var.project}.iam.gserviceaccount.com" })
  })
  secrets = { for setting, pinned in local.pinned : setting => pinned if setting == "URUMI_CREDENTIALS_KEYS" }
}

# One pass at a time for a cell, by a lease in the database; a second caller is answered at once.
module "reconcile" {
  source   = "./modules/function"
  for_each = var.cells

  name     = "reconcile-${each.key}"
  account  = google_service_account.functions["reconcile-${each.key}"]
  target   = "reconcile"
  function = local.function
  size     = var.functions.reconcile
  invokers = { push = google_service_account.push.member, scheduler = google_service_account.scheduler.member }

  environment = merge(local.common_settings, local.database_settings["reconcile-${each.key}"], local.new_stores_settings, local.cell_settings[each.key])
}

module "billing_event" {
  source   = "./modules/function"
  name     = "billing-event"
  account  = google_service_account.functions["billing-event"]
  target   = "billing_event"
  function = local.function
  size     = var.functions.billing-event
  invokers = { push = google_service_account.push.member }

  environment = merge(local.common_settings, local.database_settings.billing-event, local.new_stores_settings)
}

# Public, and believes only what Stripe has signed. Without its secret it answers 404.
module "stripe_webhook" {
  source   = "./modules/function"
  name     = "stripe-webhook"
  account  = google_service_account.functions["stripe-webhook"]
  target   = "stripe_webhook"
  function = local.function
  size     = var.functions.stripe-webhook
  public   = true

  environment = merge(local.common_settings, local.database_settings.stripe-webhook, local.new_stores_settings)
  secrets = {
    for setting, pinned in local.pinned : setting => pinned
    if contains(["URUMI_STRIPE_WEBHOOK_SECRET", "URUMI_STRIPE_API_KEY"], setting)
  }
}
