package intercept

import "testing"

func TestRefusedInPlain(t *testing.T) {
	for reply, want := range map[string]bool{
		"\x15\x03\x03\x00\x02\x02\x30":                         true,  // unknown_ca
		"\x15\x03\x01\x00\x02\x02\x2e":                         true,  // certificate_unknown
		"\x14\x03\x03\x00\x01\x01\x15\x03\x03\x00\x02\x02\x2a": true,  // behind change_cipher_spec
		"\x15\x03\x03\x00\x02\x02\x28":                         false, // handshake_failure
		"\x15\x03\x03\x00\x13\x02\x30":                         false, // encrypted
		"\x17\x03\x03\x00\x13\x02\x30":                         false,
		"\x15\x03\x03\x00\x02\x02":                             false,
		"":                                                     false,
	} {
		if got := refusedInPlain([]byte(reply)); got != want {
			t.Errorf("%x: %v", reply, got)
		}
	}
}
