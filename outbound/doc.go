// Package outbound lets calls out, and only to where they may go.
//
// In come an address and who asks; out goes a connection whose other end was looked at after its name was resolved and before
// the first byte: a name that resolves to the network within, today or at the next look, leads nowhere. It follows no redirect.
// It knows TLS from files that change while Seam runs, and tokens of OAuth 2.0 client credentials. It decides nothing about what
// is called, and repeats nothing.
//
// Every client that calls an address of the topology's files is made here; a test of the repository holds that.
package outbound
