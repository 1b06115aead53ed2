// Package sealing keeps personal data in topics unreadable without keys that can be destroyed: crypto-erasure.
//
// In come the personal parts of events (see schemas.Sealer) and the names of those whose data is to be erased; out go sealed
// bytes, and the records of the topic keys. It never sees what the bytes mean.
//
// A key for each order and customer, stored somewhere, would be one more record to write before an event and to find before it
// is read. There is none: a key is derived from the name of its subject and a root, through a tree of hashes, as MLS derives
// the secrets of its leaves (RFC 9420, section 9). To destroy one key, the root is replaced by the hashes beside the way to
// it: every other key still follows from them, and that one from nothing (a puncturable pseudorandom function). A root is
// some kilobytes however many orders there are, and what is erased adds some kilobytes more, so every process holds all keys.
//
// The topic keys is compacted: what stood there before an erasure goes when the log cleaner has passed, which Compacted tells.
// Who may read that topic may read personal data: its ACL is the one that counts.
package sealing
