package schemas

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// What is wrong with bytes or with the registry; test with errors.Is.
var (
	// ErrPoison means that these bytes will never decode here: park them.
	ErrPoison = errors.New("bytes do not decode")
	// ErrUnknownSchema means that the registry does not know the schema id of the bytes. It may be registered yet.
	ErrUnknownSchema = errors.New("schema id is not in the registry")
	// ErrRegistry means that the registry did not answer, or not with what it should: temporary.
	ErrRegistry = errors.New("schema registry does not answer")
	// ErrIncompatible means that the registry refuses a schema under the subject's compatibility: a person must decide.
	ErrIncompatible = errors.New("schema registry refuses the schema")
)

// headerSize is the length of Confluent's header: a zero byte and the schema id in 4 bytes, big-endian.
// https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
const headerSize = 5

// AppendHeader appends Confluent's header of a schema id.
func AppendHeader(b []byte, id int) []byte {
	return binary.BigEndian.AppendUint32(append(b, 0), uint32(id))
}

// SplitHeader gives the schema id and the Avro bytes after it. Anything else is ErrPoison.
func SplitHeader(b []byte) (id int, rest []byte, err error) {
	if len(b) < headerSize {
		return 0, nil, fmt.Errorf("%w: %d bytes are shorter than the header of 5", ErrPoison, len(b))
	}
	if b[0] != 0 {
		return 0, nil, fmt.Errorf("%w: first byte is %#02x instead of 0", ErrPoison, b[0])
	}
	u := binary.BigEndian.Uint32(b[1:headerSize])
	if u > 1<<31-1 {
		return 0, nil, fmt.Errorf("%w: schema id %d is negative", ErrPoison, int32(u))
	}
	return int(u), b[headerSize:], nil
}
