// Package spec describes Seam's topics for those who read them: an AsyncAPI 3.0 document of a topology, and a JSON Schema of each
// topic's value. Both are made of the Avro schemas and the topology, so that they cannot say anything else than what is
// written; what is personal is marked x-pii. It does no I/O.
//
// Why it is so. The payload in the AsyncAPI document is the Avro schema itself, as that is what stands in the topic. The JSON
// Schemas describe what a reader has who decoded it: money as text with every digit, times as RFC 3339.
package spec
