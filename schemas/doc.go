// Package schemas says what an event and an outcome are, and turns them to and from bytes.
//
// In come Go values or Confluent-framed Avro bytes; out go the other. It imports nothing of ours, calls no
// broker and decides nothing: a reader of any topic needs only this package and a registry.
//
// Money is an exact decimal with its currency, times are UTC in microseconds, ids are strings. Nothing
// passes through a float. The .avsc files are embedded; testdata keeps bytes of every past version, and they
// must decode for ever.
package schemas
