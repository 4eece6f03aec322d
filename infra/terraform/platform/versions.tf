terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    helm = {
      source  = "hashicorp/helm"
      version = "~> 3.3"
    }
  }

  backend "gcs" {
    prefix = "urumi-platform"
  }
}

# One cell at a time, each with a state of its own (a workspace named like it). The token is made by the plugin
# at each call, for whoever runs this, and is kept nowhere.
provider "helm" {
  kubernetes = {
    host = var.cells[var.cell].endpoint
    exec = {
      api_version = "client.authentication.k8s.io/v1"
      command     = "gke-gcloud-auth-plugin"
    }
  }
}
