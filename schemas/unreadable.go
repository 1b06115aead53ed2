package schemas

import "fmt"

// Unreadable lists why records of an Avro schema, given as its text, might not be readable as a schema of ours, each with its
// field ("total: writer string, reader decimal(20,4)"); nil when every record is. A text that is no Avro schema, and a name that
// is none of SchemaNames, are themselves the answer.
func Unreadable(written, name string) []error {
	f := formats[name]
	if f == nil {
		return []error{fmt.Errorf("no schema of ours is called %s", name)}
	}
	root, err := parseSchema(written)
	if err != nil {
		return []error{fmt.Errorf("it is no Avro schema: %w", err)}
	}
	return incompatibilities(root, f.root)
}
