// Package metered finds out whether the network costs money by the byte: a mobile
// connection, or one that the user has marked so.
//
// On Linux NetworkManager knows (D-Bus property org.freedesktop.NetworkManager.Metered).
// Where nobody can be asked, or nobody knows, it does not count as metered.
package metered
