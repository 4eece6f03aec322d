terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
  }

  # The bucket is made before everything else, by hand (README.md).
  backend "gcs" {
    prefix = "urumi"
  }
}

provider "google" {
  project = var.project
  region  = var.region
  default_labels = {
    application = "urumi"
    environment = var.environment
  }
}
