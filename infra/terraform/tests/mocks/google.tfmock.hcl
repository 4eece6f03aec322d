# What Google would answer, where a made-up text is not enough.

mock_resource "google_sql_database_instance" {
  defaults = {
    private_ip_address = "10.0.16.3"
  }
}

mock_data "google_project" {
  defaults = {
    number = "123456789012"
  }
}

# While the CA is rotated there are two. A certificate whose key was thrown away stands for both.
mock_data "google_sql_ca_certs" {
  defaults = {
    certs = [{
      cert             = "-----BEGIN CERTIFICATE-----\nMIIBtDCCAVmgAwIBAgIUBmi//WJgu7uJri0togDS6cpVuzEwCgYIKoZIzj0EAwIw\nLjEsMCoGA1UEAwwjbWFkZSBmb3IgdGVzdHMsIGl0cyBrZXkgdGhyb3duIGF3YXkw\nIBcNMjYxMTI2MTgxNzMzWhgPMjEyNjExMDIxODE3MzNaMC4xLDAqBgNVBAMMI21h\nZGUgZm9yIHRlc3RzLCBpdHMga2V5IHRocm93biBhd2F5MFkwEwYHKoZIzj0CAQYI\nKoZIzj0DAQcDQgAEDm1ugOH6DMDmxxt8WEG3bR2h43j/h6QFVHfo5d4oRAAaTGMr\nn4hU1/rJZBeiWL63qWerZTR5yS8M1WCyyfIE36NTMFEwHQYDVR0OBBYEFCF3IpWA\nFVjK2sfdMiESUeu63DoSMB8GA1UdIwQYMBaAFCF3IpWAFVjK2sfdMiESUeu63DoS\nMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAKn/d+MBxmp8Sctj\n4NWOB7+FwKC2fMhf+F+Hzk4SkHvrAiEA3muTxy25Z7huvGwI/zmOMdcvv61qV3PE\nskg60bsbHmk=\n-----END CERTIFICATE-----"
      common_name      = ""
      create_time      = ""
      expiration_time  = ""
      sha1_fingerprint = ""
      }, {
      cert             = "-----BEGIN CERTIFICATE-----\nMIIBtDCCAVmgAwIBAgIUBmi//WJgu7uJri0togDS6cpVuzEwCgYIKoZIzj0EAwIw\nLjEsMCoGA1UEAwwjbWFkZSBmb3IgdGVzdHMsIGl0cyBrZXkgdGhyb3duIGF3YXkw\nIBcNMjYxMTI2MTgxNzMzWhgPMjEyNjExMDIxODE3MzNaMC4xLDAqBgNVBAMMI21h\nZGUgZm9yIHRlc3RzLCBpdHMga2V5IHRocm93biBhd2F5MFkwEwYHKoZIzj0CAQYI\nKoZIzj0DAQcDQgAEDm1ugOH6DMDmxxt8WEG3bR2h43j/h6QFVHfo5d4oRAAaTGMr\nn4hU1/rJZBeiWL63qWerZTR5yS8M1WCyyfIE36NTMFEwHQYDVR0OBBYEFCF3IpWA\nFVjK2sfdMiESUeu63DoSMB8GA1UdIwQYMBaAFCF3IpWAFVjK2sfdMiESUeu63DoS\nMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAKn/d+MBxmp8Sctj\n4NWOB7+FwKC2fMhf+F+Hzk4SkHvrAiEA3muTxy25Z7huvGwI/zmOMdcvv61qV3PE\nskg60bsbHmk=\n-----END CERTIFICATE-----"
      common_name      = ""
      create_time      = ""
      expiration_time  = ""
      sha1_fingerprint = ""
    }]
  }
}
