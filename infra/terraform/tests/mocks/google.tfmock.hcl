# What Google would answer, where a made-up text is not enough.

mock_resource "google_sql_database_instance" {
  defaults = {
    private_ip_address = "10.0.16.3"
    server_ca_cert     = [{ cert = "-----BEGIN CERTIFICATE-----", common_name = "", create_time = "", expiration_time = "", sha1_fingerprint = "" }]
  }
}

mock_data "google_project" {
  defaults = {
    number = "123456789012"
  }
}
