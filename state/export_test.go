package state

import "github.com/redis/go-redis/v9"

// Client gives tests the connection, to look at and to damage what is stored.
func (s *Store) Client() redis.UniversalClient { return s.rdb }

// Keys of a node and globally, for the same purpose.
func AgentsKey(node string) string      { return keysOf(node).agents }
func CallsKey(node string) string       { return keysOf(node).calls }
func LeaseKey(node string) string       { return keysOf(node).lease }
func FenceKey(node string) string       { return keysOf(node).fence }
func LiveKey(node string) string        { return keysOf(node).live }
func SpeakersKey(node string) string    { return keysOf(node).speakers }
func SessionKey(node, id string) string { return keysOf(node).session + enc(id) }
func AuditKey() string                  { return auditKey }
func AuditHeadKey() string              { return auditHeadKey }
func ExtensionsKey() string             { return extensionsKey }
func NodesKey() string                  { return nodesKey }
func SecretKey() string                 { return secretKey }

// Link makes the link of a record that comes after a head.
func Link(before Head, record string) (prev string, h Head) {
	l := before.next(record)
	return l.prev, l.head()
}

func init() { quietClient() }
