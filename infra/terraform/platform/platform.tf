# What a cell needs once, by Helm: who may do what, where volumes come from, the stores' front door. The first
# apply makes the cell; this one talks to it, so it is a root of its own.

locals {
  cell = var.cells[var.cell]

  # For what is not a store: the system pool alone, which keeps stores away by its taint.
  system_nodes = { "cloud.google.com/gke-nodepool" = "system" }
  tolerated    = [{ key = "components.gke.io/gke-managed-components", operator = "Exists" }]

  gateway_labels = {
    "app.kubernetes.io/name"     = "gateway"
    "app.kubernetes.io/instance" = "front-door"
  }
}

# Rights and admission policies.
resource "helm_release" "rights" {
  name             = "urumi-system"
  namespace        = "urumi-system"
  create_namespace = true
  chart            = "${path.module}/../../../platform"

  values = [yamlencode({
    identities = {
      provision = { kind = "User", name = local.cell.identities.provision }
      reconcile = { kind = "User", name = local.cell.identities.reconcile }
      operator  = { kind = "User", name = var.operator }
    }
  })]
}

# Certificates for the stores' domain, proved by a DNS record: nothing else proves a wildcard.
resource "helm_release" "cert_manager" {
  name             = "cert-manager"
  namespace        = "cert-manager"
  create_namespace = true
  chart            = "oci://quay.io/jetstack/charts/cert-manager"
  version          = "v1.19.2"

  values = [yamlencode({
    crds            = { enabled = true }
    extraArgs       = ["--issuer-ambient-credentials"] # an Issuer may be whom Workload Identity says it is
    serviceAccount  = { annotations = { "iam.gke.io/gcp-service-account" = local.cell.identities.certificates } }
    nodeSelector    = local.system_nodes
    tolerations     = local.tolerated
    webhook         = { nodeSelector = local.system_nodes, tolerations = local.tolerated }
    cainjector      = { nodeSelector = local.system_nodes, tolerations = local.tolerated }
    startupapicheck = { nodeSelector = local.system_nodes, tolerations = local.tolerated }
    # In GKE the leader's lock belongs where the release is, not into kube-system.
    global = { leaderElection = { namespace = "cert-manager" } }
  })]
}

# Ours: the class of volumes, the issuer, the wildcard certificate.
resource "helm_release" "cell" {
  name             = "cell"
  namespace        = "front-door"
  create_namespace = true
  chart            = "${path.module}/cell"

  values = [yamlencode({
    acmeEmail = var.acme_email
    domain    = local.cell.domain
    project   = var.project
    zone      = local.cell.zone
  })]

  depends_on = [helm_release.cert_manager]
}

# One gateway in the cell behind one network load balancer. Stores are Ingress objects, so it is an ingress
# controller: pods with a namespace and labels, which the stores' policies name, and a host name costs nothing. It has
# no right to any Secret; its certificate is a file (docs/decisions/0032).
resource "helm_release" "front_door" {
  name      = "front-door"
  namespace = helm_release.cell.namespace
  chart     = "${path.module}/gateway"
  timeout   = 900 # the first pods wait for the certificate

  values = [yamlencode({
    image        = var.gateway_image
    address      = local.cell.address
    podLabels    = local.gateway_labels
    nodeSelector = local.system_nodes
    tolerations  = local.tolerated
  })]
}
