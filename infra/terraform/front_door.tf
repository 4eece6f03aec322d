# The public door: one address, one certificate, Cloud Armor, then the three public functions. Who somebody is the
# functions ask themselves; here only what comes too often from one address is turned away.

resource "google_compute_global_address" "api" {
  name = "api"

  depends_on = [google_project_service.apis]
}

resource "google_compute_managed_ssl_certificate" "api" {
  name = "api"

  managed {
    domains = [var.api_domain]
  }
}

resource "google_compute_ssl_policy" "api" {
  name            = "api"
  profile         = "MODERN"
  min_tls_version = "TLS_1_2"
}

resource "google_compute_security_policy" "api" {
  name = "api"

  # Log4Shell and its like: nothing here is written in Java, so that whatever asks for it is no customer.
  rule {
    priority = 900
    action   = "deny(403)"
    match {
      expr {
        expression = "evaluatePreconfiguredWaf('cve-canary')"
      }
    }
  }

  rule {
    priority = 1000
    action   = "rate_based_ban"
    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
    rate_limit_options {
      conform_action   = "allow"
      exceed_action    = "deny(429)"
      enforce_on_key   = "IP"
      ban_duration_sec = 300
      rate_limit_threshold {
        count        = var.requests_per_minute
        interval_sec = 60
      }
      ban_threshold {
        count        = var.requests_per_minute * 5
        interval_sec = 60
      }
    }
  }

  rule {
    priority = 2147483647
    action   = "allow"
    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
  }
}

locals {
  # Hosts are one; paths tell apart what programs and Stripe call. All others are the console's.
  public_functions = {
    api     = module.create_store.name
    console = module.console.name
    stripe  = module.stripe_webhook.name
  }
}

resource "google_compute_region_network_endpoint_group" "api" {
  for_each = local.public_functions

  name                  = each.key
  region                = var.region
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = each.value
  }
}

resource "google_compute_backend_service" "api" {
  for_each = local.public_functions

  name                  = each.key
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"
  security_policy       = google_compute_security_policy.api.id

  backend {
    group = google_compute_region_network_endpoint_group.api[each.key].id
  }

  log_config {
    enable      = true
    sample_rate = 1.0
  }
}

resource "google_compute_url_map" "api" {
  name            = "api"
  default_service = google_compute_backend_service.api["console"].id

  host_rule {
    hosts        = [var.api_domain]
    path_matcher = "api"
  }

  path_matcher {
    name            = "api"
    default_service = google_compute_backend_service.api["console"].id

    path_rule {
      paths   = ["/v1", "/v1/*", "/docs", "/openapi.json", "/health"]
      service = google_compute_backend_service.api["api"].id
    }

    path_rule {
      paths   = ["/stripe/webhook"]
      service = google_compute_backend_service.api["stripe"].id
    }
  }
}

resource "google_compute_target_https_proxy" "api" {
  name             = "api"
  url_map          = google_compute_url_map.api.id
  ssl_certificates = [google_compute_managed_ssl_certificate.api.id]
  ssl_policy       = google_compute_ssl_policy.api.id
}

resource "google_compute_global_forwarding_rule" "api" {
  name                  = "api"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.api.id
  port_range            = "443"
  target                = google_compute_target_https_proxy.api.id
}

# Port 80 answers with the way to 443.
resource "google_compute_url_map" "redirect" {
  name = "redirect"

  default_url_redirect {
    https_redirect         = true
    redirect_response_code = "MOVED_PERMANENTLY_DEFAULT"
    strip_query            = false
  }
}

resource "google_compute_target_http_proxy" "redirect" {
  name    = "redirect"
  url_map = google_compute_url_map.redirect.id
}

resource "google_compute_global_forwarding_rule" "redirect" {
  name                  = "redirect"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.api.id
  port_range            = "80"
  target                = google_compute_target_http_proxy.redirect.id
}
