variable "api_domain" {
  description = "Host name of the API, of the console and of Stripe's webhook. Not below a cell's domain, nor above it."
  type        = string
  nullable    = false

  validation {
    condition     = alltrue([for cell in var.cells : !endswith(".${var.api_domain}", ".${cell.domain}") && !endswith(".${cell.domain}", ".${var.api_domain}")])
    error_message = "Give the API a domain apart from the stores': a shop could set cookies for it."
  }
}

variable "backup_days" {
  description = "For how many days a backup cannot be removed, after how many it is, and whether nobody can change that any more."
  type = object({
    kept    = number
    locked  = bool # for good: without it the bucket can only be made anew
    removed = number
  })
  nullable = false

  validation {
    condition     = var.backup_days.kept < var.backup_days.removed
    error_message = "Remove backups after the days in which they cannot be removed."
  }
}

variable "billing_publishers" {
  description = "Members that may tell on `billing-events` what happened to subscriptions, such as a service account of billing's own project."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "cells" {
  description = "The clusters, by name: where, which addresses, which domain its stores have, how far its nodes may grow."
  type = map(object({
    domain = string
    most = object({
      cpu    = number
      memory = number # GB
    })
    ranges = object({
      nodes    = string
      pods     = string
      services = string
    })
    region  = string
    sandbox = optional(bool, false) # whether there are nodes with gVisor
  }))
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.cells) : can(regex("^[a-z][a-z0-9-]{0,15}[a-z0-9]$", name))])
    error_message = "Name a cell with 2 to 17 letters, digits and dashes: accounts are named after it, and their names end at 30."
  }
}

variable "database" {
  description = "How large the database is. Set max_connections to what the tier holds."
  type = object({
    highly_available = bool
    max_connections  = number
    tier             = string
  })
  nullable = false
}

variable "environment" {
  description = "Which environment this is: a label on everything."
  type        = string
  nullable    = false
}

variable "functions" {
  description = "How large each function's instances are and how many there may be; of provision and reconcile, in each cell. All instances together open max_instances × threads connections to the database."
  type = map(object({
    concurrency   = number # requests at once
    cpu           = optional(string, "1")
    max_instances = number
    memory        = optional(string, "512Mi")
    min_instances = optional(number, 0)
    threads       = number # more than concurrency: for probes, and for what renews a lease
    timeout       = number # seconds
  }))
  nullable = false

  validation {
    condition     = toset(keys(var.functions)) == toset(["billing-event", "console", "create-store", "provision", "reconcile", "stripe-webhook"])
    error_message = "Give a size for each of billing-event, console, create-store, provision, reconcile and stripe-webhook."
  }
}

variable "functions_range" {
  description = "Private addresses for the functions' instances: /26 at least, and twice as many as may run."
  type        = string
  nullable    = false
}

variable "image" {
  description = "The functions' image, by digest: REGION-docker.pkg.dev/PROJECT/urumi/functions@sha256:…"
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "Name the image by its digest: a tag may be another image tomorrow."
  }
}

variable "login_public_keys" {
  description = "The public halves of URUMI_LOGIN_KEYS, in base64 by key id: they go to the stores."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "new_stores_cell" {
  description = "The cell that new stores go to. Those that there are stay where they are."
  type        = string
  nullable    = false

  validation {
    condition     = contains(keys(var.cells), var.new_stores_cell)
    error_message = "Name one of the cells."
  }
}

variable "oidc_issuers" {
  description = "Whose ID tokens API and console believe: docs/operating.md has the fields."
  type        = any
  default     = []
  nullable    = false
}

variable "operators" {
  description = "E-mail addresses of the people who run the platform: alerts, the operator's database role, the doctor's look into the cells."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "project" {
  description = "Id of the Google Cloud project. One for each environment."
  type        = string
  nullable    = false
}

variable "protected" {
  description = "Whether what holds data refuses to be removed."
  type        = bool
  nullable    = false
}

variable "region" {
  description = "Where the functions and the database are."
  type        = string
  nullable    = false
}

variable "requests_per_minute" {
  description = "What one address may ask of API and console before it is turned away; five times that bans it for five minutes."
  type        = number
  default     = 600
  nullable    = false
}

variable "secret_versions" {
  description = "The version of each secret that the functions get, by setting. What is not named here is not set."
  type        = map(string)
  nullable    = false

  validation {
    condition     = alltrue([for name in ["URUMI_CREDENTIALS_KEYS", "URUMI_LOGIN_KEYS"] : contains(keys(var.secret_versions), name)])
    error_message = "URUMI_CREDENTIALS_KEYS and URUMI_LOGIN_KEYS are needed by the functions."
  }

  validation {
    condition     = alltrue([for version in values(var.secret_versions) : can(regex("^[1-9][0-9]*$", version))])
    error_message = "Pin a secret by the number of its version: `latest` changes under a running revision."
  }
}

variable "store_event_subscribers" {
  description = "Members that may subscribe to `store-events`."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "store_images" {
  description = "Images of a store's pods, by digest: values `images` of chart/."
  type = object({
    database = string
    store    = string
  })
  nullable = false
}
