package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"reflect"
	"strings"
)

// Failures of TLS with a site. Certificates are judged as browsers do it; there is no way past.
var (
	failedCert      = failure{502, "tls_certificate_error", "The site could not prove who it is", "Its certificate is not valid for this use. Somebody else may be answering in its place."}
	failedExpired   = failure{502, "tls_certificate_error", "The site's certificate has expired", "It could prove who it is only until the date in its certificate, which has passed. If it happens with many sites, this machine's clock may be wrong."}
	failedTooSoon   = failure{502, "tls_certificate_error", "The site's certificate is not valid yet", "It begins at a later date. This machine's clock may be wrong."}
	failedName      = failure{502, "tls_certificate_error", "The site's certificate is for another name", "Who answers has proven to be somebody, but not this site. It may be set up wrongly, or somebody else is answering in its place."}
	failedSelf      = failure{502, "tls_certificate_error", "The site vouches only for itself", "Its certificate is self-signed: no authority that this machine trusts has issued it. Anybody could have made it."}
	failedAuthority = failure{502, "tls_certificate_error", "The site's certificate is of an unknown authority", "Nobody whom this machine trusts vouches for the site. Somebody may be listening in, or the site did not send all of its certificates."}
	failedWeakCert  = failure{502, "tls_certificate_error", "The site's certificate is too weak", "It is signed in a way that can be forged today (such as SHA-1, or a very short key)."}
	failedPurpose   = failure{502, "tls_certificate_error", "The site's certificate is not one for sites", "It was issued for another purpose than to prove who a site is."}
	failedOldTLS    = failure{502, "tls_protocol_error", "The site's security is out of date", "It only speaks versions of TLS that are no longer secure: before 1.2."}
	failedTLS       = failure{502, "tls_protocol_error", "No secure connection came about", "The site and this proxy did not agree on a secure connection."}
	failedTLSAlert  = failure{502, "tls_alert_received", "No secure connection came about", "The site turned the secure connection down."}
)

// alertVersion is the alert protocol_version (RFC 8446 section 6).
const alertVersion = 70

func explainTLS(err error) (failure, bool) {
	if f, ok := explainCertificate(err); ok {
		return f, true
	}
	var (
		record tls.RecordHeaderError
		alert  tls.AlertError
		op     *net.OpError
		text   = err.Error()
	)
	switch {
	case errors.As(err, &op) && alertOf(op) == alertVersion, strings.Contains(text, "unsupported protocol version"), strings.Contains(text, "unsupported versions"):
		return failedOldTLS, true
	case errors.As(err, &alert), errors.As(err, &op) && op.Op == "remote error":
		return failedTLSAlert, true
	case errors.As(err, &record), strings.Contains(text, "tls: "), strings.Contains(text, "TLS handshake"),
		strings.Contains(text, "HTTP response to HTTPS client"):
		return failedTLS, true
	}
	return failure{}, false
}

// alertOf is the number of the alert that the other side has sent; 0 = there is none. Its type
// is hidden, but known to be a number.
func alertOf(op *net.OpError) uint64 {
	if v := reflect.ValueOf(op.Err); op.Op == "remote error" && v.CanUint() {
		return v.Uint()
	}
	return 0
}

// explainCertificate says what is wrong with a certificate.
func explainCertificate(err error) (failure, bool) {
	var (
		verification *tls.CertificateVerificationError
		unknown      x509.UnknownAuthorityError
		hostname     x509.HostnameError
		invalid      x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &hostname):
		return failedName, true
	case errors.As(err, &invalid):
		return explainInvalid(invalid), true
	case errors.As(err, &unknown):
		return explainUnknown(unknown), true
	case errors.As(err, &verification):
		return failedCert, true
	}
	return failure{}, false
}

func explainInvalid(err x509.CertificateInvalidError) failure {
	switch {
	case err.Reason == x509.Expired && strings.Contains(err.Detail, "is before"):
		return failedTooSoon
	case err.Reason == x509.Expired:
		return failedExpired
	case err.Reason == x509.IncompatibleUsage:
		return failedPurpose
	}
	return failedCert
}

// explainUnknown tells why there is no chain to an authority that is known. That a signature was not
// looked at since it is weak, x509 has only in words.
func explainUnknown(err x509.UnknownAuthorityError) failure {
	switch text := err.Error(); {
	case strings.Contains(text, "insecure algorithm"), strings.Contains(text, "keys are insecure"):
		return failedWeakCert
	case err.Cert == nil:
		return failedAuthority
	}
	switch err.Cert.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return failedWeakCert
	}
	if string(err.Cert.RawIssuer) == string(err.Cert.RawSubject) {
		return failedSelf
	}
	return failedAuthority
}
