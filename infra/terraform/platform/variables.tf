variable "acme_email" {
  description = "Whom the certificate authority writes to."
  type        = string
  nullable    = false
}

variable "cell" {
  description = "Which of the cells this is about."
  type        = string
  nullable    = false

  validation {
    condition     = contains(keys(var.cells), var.cell)
    error_message = "Name one of the cells."
  }
}

variable "cells" {
  description = "The output `cells` of the first apply."
  type = map(object({
    address  = string
    domain   = string
    endpoint = string
    identities = object({
      certificates = string
      provision    = string
      reconcile    = string
    })
    zone = string
  }))
  nullable = false
}

variable "gateway_image" {
  description = "The gateway's image, by digest: REGION-docker.pkg.dev/PROJECT/urumi/gateway@sha256:…"
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.gateway_image))
    error_message = "Name the image by its digest: a tag may be another image tomorrow."
  }
}

variable "operator" {
  description = "Who looks into the cell with `urumi doctor`: an e-mail address. It reads all Secrets."
  type        = string
  nullable    = false
}

variable "project" {
  description = "Id of the Google Cloud project."
  type        = string
  nullable    = false
}
