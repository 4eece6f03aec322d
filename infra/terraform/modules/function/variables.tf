variable "account" {
  description = "Whom it runs as: an account of its own."
  type = object({
    email  = string
    member = string
  })
  nullable = false
}

variable "environment" {
  description = "Plain settings, by name."
  type        = map(string)
  nullable    = false
}

variable "function" {
  description = "What all functions have in common."
  type = object({
    after      = string # what must be done before a new revision
    image      = string
    network    = string
    project    = string
    protected  = bool
    region     = string
    subnetwork = string
  })
  nullable = false
}

variable "invokers" {
  description = "Who may call the service, by a name of ours."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "name" {
  description = "Name of the service."
  type        = string
  nullable    = false
}

variable "public" {
  description = "Whether anybody may call it, through the load balancer."
  type        = bool
  default     = false
  nullable    = false
}

variable "secrets" {
  description = "Settings that come from Secret Manager, by name, each in one version."
  type = map(object({
    secret  = string
    version = string
  }))
  default  = {}
  nullable = false
}

variable "size" {
  description = "How large an instance is, what it serves at once, and how many there may be."
  type = object({
    concurrency   = number
    cpu           = string
    max_instances = number
    memory        = string
    min_instances = number
    threads       = number
    timeout       = number # seconds
  })
  nullable = false
}

variable "target" {
  description = "Which function of the image it is."
  type        = string
  nullable    = false
}
