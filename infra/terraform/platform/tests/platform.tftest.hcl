mock_provider "helm" {}

variables {
  project    = "urumi-dev"
  cell       = "dev-1"
  acme_email = "operator@urumi.example"
  operator   = "operator@urumi.example"

  gateway_image = "europe-west1-docker.pkg.dev/urumi-dev/urumi/gateway@sha256:0000000000000000000000000000000000000000000000000000000000000000"

  cells = {
    dev-1 = {
      address  = "192.0.2.10"
      domain   = "shops-dev.example"
      endpoint = "https://gke-0123.europe-west1.gke.example"
      zone     = "stores-dev-1"
      identities = {
        provision    = "provision@urumi-dev.iam.gserviceaccount.com"
        reconcile    = "reconcile@urumi-dev.iam.gserviceaccount.com"
        certificates = "certificates-dev-1@urumi-dev.iam.gserviceaccount.com"
      }
    }
  }
}

run "platform" {
  assert {
    condition     = yamldecode(helm_release.rights.values[0]).identities.provision == { kind = "User", name = "provision@urumi-dev.iam.gserviceaccount.com" }
    error_message = "provision's rights are given to the account that provision runs as."
  }

  assert {
    condition     = yamldecode(helm_release.rights.values[0]).identities.reconcile == { kind = "User", name = "reconcile@urumi-dev.iam.gserviceaccount.com" }
    error_message = "reconcile's rights are given to the account that reconcile runs as."
  }

  assert {
    condition     = yamldecode(helm_release.front_door.values[0]).address == "192.0.2.10"
    error_message = "The gateway answers at the address that the domain leads to."
  }

  assert {
    condition = alltrue([
      for part in [helm_release.cert_manager, helm_release.front_door] :
      yamldecode(part.values[0]).nodeSelector == { "cloud.google.com/gke-nodepool" = "system" }
    ])
    error_message = "What holds the cell's keys is not on the stores' nodes."
  }

  assert {
    condition     = contains(yamldecode(helm_release.cert_manager.values[0]).extraArgs, "--issuer-ambient-credentials")
    error_message = "The issuer may prove the domain as the account that it is."
  }

  assert {
    condition     = can(regex("^v[0-9]+\\.[0-9]+\\.[0-9]+$", helm_release.cert_manager.version))
    error_message = "A chart from elsewhere is pinned."
  }
}

run "no_such_cell" {
  command = plan

  variables {
    cell = "nowhere"
  }

  expect_failures = [var.cell]
}

run "an_image_without_a_digest" {
  command = plan

  variables {
    gateway_image = "europe-west1-docker.pkg.dev/urumi-dev/urumi/gateway:v1"
  }

  expect_failures = [var.gateway_image]
}
