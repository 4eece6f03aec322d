# What the project must be able to call. Switched off by nobody: other things in the project may use them too.

data "google_project" "this" {
  project_id = var.project
}

resource "google_project_service" "apis" {
  for_each = toset([
    "artifactregistry", "cloudscheduler", "compute", "container", "containerfilesystem", "containerscanning", "dns", "iam",
    "iamcredentials", "logging", "monitoring", "pubsub", "run", "secretmanager", "servicenetworking",
    "sqladmin", "storage",
  ])

  service            = "${each.key}.googleapis.com"
  disable_on_destroy = false
}
