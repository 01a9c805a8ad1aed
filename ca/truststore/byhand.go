package truststore

// ByHand says, in lines, how a user makes a system trust the certificate in a file where
// [Machine.Find] finds nothing. For the systems that it serves there is nothing to say.
func ByHand(os, file string) []string {
	firefox := "Firefox: Settings, Privacy & Security, View Certificates, Authorities, Import " + file + " and trust it for websites."
	switch os {
	case "darwin":
		return []string{
			"Safari, Chrome: security add-trusted-cert -r trustRoot -p ssl -k ~/Library/Keychains/login.keychain-db " + file,
			"To undo it:     security remove-trusted-cert " + file + ", then delete it in Keychain Access.",
			firefox,
		}
	case "windows":
		return []string{
			"Edge, Chrome: certutil -user -addstore Root " + file,
			"To undo it:   delete it in certmgr.msc, Trusted Root Certification Authorities.",
			firefox,
		}
	default:
		return nil
	}
}
