PRAGMA application_id = 1095191885;
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0007');
CREATE TABLE aliases (
	namespace_pk INTEGER NOT NULL, 
	alias_pk INTEGER NOT NULL, 
	entity_pk INTEGER NOT NULL, 
	evidence TEXT NOT NULL, 
	PRIMARY KEY (namespace_pk, alias_pk), 
	FOREIGN KEY(namespace_pk) REFERENCES namespaces (pk)
)
 WITHOUT ROWID

;
CREATE TABLE changes (
	pk INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	namespace_pk INTEGER NOT NULL, 
	record_id TEXT NOT NULL, 
	action VARCHAR NOT NULL, 
	at BIGINT NOT NULL, 
	detail JSON NOT NULL, 
	FOREIGN KEY(namespace_pk) REFERENCES namespaces (pk)
);
INSERT INTO "changes" VALUES(1,1,'n1','noted',1683547200000000,'{"kind": "fact"}');
INSERT INTO "changes" VALUES(2,1,'n2','noted',1683547200000000,'{"kind": "fact"}');
INSERT INTO "changes" VALUES(3,1,'gone','remembered',1683547200000000,'{}');
INSERT INTO "changes" VALUES(4,1,'gone','forgotten',1683547200000000,'{}');
CREATE TABLE derivations (
	namespace_pk INTEGER NOT NULL, 
	derived_seq BIGINT DEFAULT '0' NOT NULL, 
	open_seq BIGINT DEFAULT '0' NOT NULL, 
	state JSON NOT NULL, 
	PRIMARY KEY (namespace_pk), 
	FOREIGN KEY(namespace_pk) REFERENCES namespaces (pk)
);
INSERT INTO "derivations" VALUES(1,6,0,'{"segments": {"running": [1.0, 1.0, 0.0], "scores": {"s1": [0.0]}}}');
INSERT INTO "derivations" VALUES(2,1,0,'{"segments": {"running": [0.0, 0.0, 0.0], "scores": {}}}');
CREATE TABLE edges (
	namespace_pk INTEGER NOT NULL, 
	source_pk INTEGER NOT NULL, 
	target_pk INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	weight INTEGER NOT NULL, 
	first_at BIGINT NOT NULL, 
	last_at BIGINT NOT NULL, 
	PRIMARY KEY (namespace_pk, source_pk, target_pk, kind), 
	FOREIGN KEY(namespace_pk) REFERENCES namespaces (pk)
)
 WITHOUT ROWID

;
INSERT INTO "edges" VALUES(1,1,2,'speaks_of',1,1683547200000000,1683547200000000);
INSERT INTO "edges" VALUES(1,1,6,'speaks_of',1,1683547200000000,1683547200000000);
INSERT INTO "edges" VALUES(1,3,4,'speaks_of',1,1683547200000000,1683547200000000);
CREATE TABLE embedders (
	pk INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT NOT NULL, 
	dims INTEGER NOT NULL, 
	UNIQUE (name)
);
INSERT INTO "embedders" VALUES(1,'hash-16',16);
CREATE TABLE entities (
	pk INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	namespace_pk INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	first_word TEXT NOT NULL, 
	words INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	kind VARCHAR NOT NULL, 
	mentions INTEGER NOT NULL, 
	UNIQUE (namespace_pk, "key"), 
	FOREIGN KEY(namespace_pk) REFERENCES namespaces (pk)
);
INSERT INTO "entities" VALUES(1,1,'alice','alice',1,'Alice','speaker',3);
INSERT INTO "entities" VALUES(2,1,'miso','miso',1,'Miso','name',1);
INSERT INTO "entities" VALUES(3,1,'bob','bob',1,'Bob','speaker',1);
INSERT INTO "entities" VALUES(4,1,'lisbon','lisbon',1,'Lisbon','place',1);
INSERT INTO "entities" VALUES(5,1,'мои','мои',1,'Мой','initial',1);
INSERT INTO "entities" VALUES(6,1,'перми','перми',1,'Перми','name',1);
INSERT INTO "entities" VALUES(7,1,'quoted','quoted',1,'quoted','quoted',1);
INSERT INTO "entities" VALUES(8,2,'words','words',1,'Words','initial',1);
CREATE TABLE episodes (
	pk INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	namespace_pk INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	session TEXT NOT NULL, 
	first_seq BIGINT NOT NULL, 
	last_seq BIGINT NOT NULL, 
	events INTEGER NOT NULL, 
	title TEXT NOT NULL, 
	summary TEXT NOT NULL, 
	reason VARCHAR NOT NULL, 
	refined_by TEXT, 
	token_count INTEGER NOT NULL, 
	started_at BIGINT NOT NULL, 
	ended_at BIGINT NOT NULL, 
	strength FLOAT DEFAULT '1' NOT NULL, 
	stability_days FLOAT DEFAULT '1' NOT NULL, 
	recalls INTEGER DEFAULT '0' NOT NULL, 
	last_recalled_at BIGINT, 
	UNIQUE (namespace_pk, id), 
	UNIQUE (namespace_pk, session, first_seq), 
	FOREIGN KEY(namespace_pk) REFERENCES namespaces (pk)
);
CREATE TABLE events (
	pk INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	namespace_pk INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	session TEXT NOT NULL, 
	seq BIGINT NOT NULL, 
	role VARCHAR NOT NULL, 
	name TEXT, 
	content TEXT NOT NULL, 
	occurred_at BIGINT NOT NULL, 
	recorded_at BIGINT NOT NULL, 
	content_hash VARCHAR NOT NULL, 
	token_count INTEGER NOT NULL, 
	metadata JSON NOT NULL, 
	UNIQUE (namespace_pk, id), 
	UNIQUE (namespace_pk, seq), 
	FOREIGN KEY(namespace_pk) REFERENCES namespaces (pk)
);
INSERT INTO "events" VALUES(1,1,'e1','s1',0,'user','Alice','I adopted a grey cat called Miso.',1683547200000000,1683547200000000,'37bcc97faa12bd8f750b722f7db0e4856f5b31fba428737f22d3f8d2f9fd9df3',8,'{}');
INSERT INTO "events" VALUES(2,1,'e2','s1',1,'user','Bob','The piano teacher moved to Lisbon.',1683547200000000,1683547200000000,'338f9c3d63b0e1cbd7bb0f1416b8a9d9fed7758aa2132475aad3f0acdc779161',7,'{}');
INSERT INTO "events" VALUES(3,1,'e3','s1',2,'user','Alice','Мой брат живёт в Перми, 東京 too.',1683547200000000,1683547200000000,'41205b3ca427389166aba5c7fed35559db8745bf9854014633435b68d974456f',23,'{}');
INSERT INTO "events" VALUES(5,1,'e4','s2',4,'user','Alice','We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. ',1683547200000000,1683547200000000,'f454a5849875b5aee014102fce5990c13af8bad68e7ad97d909e34826d3af85b',360,'{}');
INSERT INTO "events" VALUES(6,1,'e5','s2',5,'user',NULL,'100% of it''s \ "quoted"
and on two lines.',1683547200000000,1683547200000000,'004f76b3ec03b07028a23aa330dbfbd045c00f21cdb4beacf260ee35ac332f92',15,'{}');
INSERT INTO "events" VALUES(7,2,'e1','default',0,'user',NULL,'Words of another.',1683547200000000,1683547200000000,'38d96bb747306260f2a2bece54f5af1b3c73b8964147cdeda3da35b5d2de12a9',4,'{}');
CREATE TABLE item_removals (
	item_pk INTEGER NOT NULL, 
	version BIGINT NOT NULL, 
	PRIMARY KEY (item_pk)
);
CREATE TABLE item_state (
	pk INTEGER NOT NULL, 
	version BIGINT NOT NULL, 
	last_pk BIGINT NOT NULL, 
	pruned BIGINT NOT NULL, 
	embedder TEXT NOT NULL, 
	dims INTEGER NOT NULL, 
	PRIMARY KEY (pk)
);
INSERT INTO "item_state" VALUES(1,0,0,0,'',0);
CREATE TABLE item_texts (
	pk INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	item_pk INTEGER NOT NULL, 
	terms TEXT NOT NULL, 
	vector BLOB, 
	FOREIGN KEY(item_pk) REFERENCES items (pk) ON DELETE CASCADE
);
CREATE TABLE items (
	pk INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	ttl_s FLOAT, 
	expires_at BIGINT, 
	version BIGINT NOT NULL, 
	PRIMARY KEY (pk), 
	UNIQUE (path, "key")
);
CREATE TABLE latent_removals (
	namespace_pk INTEGER NOT NULL, 
	file VARCHAR NOT NULL, 
	PRIMARY KEY (namespace_pk, file), 
	FOREIGN KEY(namespace_pk) REFERENCES namespaces (pk)
)
 WITHOUT ROWID

;
CREATE TABLE latent_sources (
	latent_pk INTEGER NOT NULL, 
	event_pk INTEGER NOT NULL, 
	namespace_pk INTEGER NOT NULL, 
	PRIMARY KEY (latent_pk, event_pk), 
	FOREIGN KEY(latent_pk) REFERENCES latents (pk) ON DELETE CASCADE, 
	FOREIGN KEY(event_pk) REFERENCES events (pk) ON DELETE CASCADE, 
	FOREIGN KEY(namespace_pk) REFERENCES namespaces (pk)
)
 WITHOUT ROWID

;
CREATE TABLE latents (
	pk INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	namespace_pk INTEGER NOT NULL, 
	owner_id TEXT NOT NULL, 
	fingerprint TEXT NOT NULL, 
	layout TEXT NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	file VARCHAR NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	created_at BIGINT NOT NULL, 
	UNIQUE (namespace_pk, owner_id, fingerprint, layout), 
	FOREIGN KEY(namespace_pk) REFERENCES namespaces (pk)
);
PRAGMA writable_schema=ON;
INSERT INTO sqlite_master(type,name,tbl_name,rootpage,sql)VALUES('table','lexical','lexical',0,'CREATE VIRTUAL TABLE lexical USING fts5(terms, tokenize="unicode61 remove_diacritics 0 tokenchars ''_''")');
CREATE TABLE 'lexical_config'(k PRIMARY KEY, v) WITHOUT ROWID;
INSERT INTO "lexical_config" VALUES('version',4);
CREATE TABLE 'lexical_content'(id INTEGER PRIMARY KEY, c0);
INSERT INTO "lexical_content" VALUES(1,'1_alic 1_mondai 1_8 1_mai 1_2023 1_adopt 1_grei 1_cat 1_call 1_miso');
INSERT INTO "lexical_content" VALUES(2,'1_bob 1_mondai 1_8 1_mai 1_2023 1_piano 1_teacher 1_move 1_lisbon');
INSERT INTO "lexical_content" VALUES(3,'1_alic 1_mondai 1_8 1_mai 1_2023 1_мои 1_брат 1_живет 1_в 1_перми 1_東京');
INSERT INTO "lexical_content" VALUES(5,'1_alic 1_mondai 1_8 1_mai 1_2023 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano');
INSERT INTO "lexical_content" VALUES(6,'1_alic 1_mondai 1_8 1_mai 1_2023 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano');
INSERT INTO "lexical_content" VALUES(7,'1_alic 1_mondai 1_8 1_mai 1_2023 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano');
INSERT INTO "lexical_content" VALUES(8,'1_alic 1_mondai 1_8 1_mai 1_2023 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano 1_hike 1_volcano');
INSERT INTO "lexical_content" VALUES(9,'1_user 1_mondai 1_8 1_mai 1_2023 1_100 1_quot 1_two 1_line');
INSERT INTO "lexical_content" VALUES(10,'1_mondai 1_8 1_mai 1_2023 1_miso 1_cat');
INSERT INTO "lexical_content" VALUES(11,'1_mondai 1_8 1_mai 1_2023 1_bob 1_live 1_porto');
INSERT INTO "lexical_content" VALUES(12,'2_user 2_mondai 2_8 2_mai 2_2023 2_word 2_anoth');
CREATE TABLE 'lexical_data'(id INTEGER PRIMARY KEY, block BLOB);
INSERT INTO "lexical_data" VALUES(1,X'0B8147');
INSERT INTO "lexical_data" VALUES(10,X'0000000002010A000000010B0101');
INSERT INTO "lexical_data" VALUES(1511828488193,X'0000025F0630315F313030090207030432303233010206010206010206020206010206010206010206010206010205010205030138010204010204010204020204010204010204010204010204010203010203030561646F707401020704036C69630102020202020202020102020102020102020303626F62020202090206030463616C6C01020A050174010209090207030467726569010208030468696B65052007040404040404040404040404040404012007040404040404040404040404040404012007040404040404040404040404040404011807040404040404040404040403046C696E6509020A050473626F6E02020A050276650B020703036D6169010205010205010205020205010205010205010205010205010204010204040369736F01020B09020604056F6E6461690102030102030102030202030102030102030102030102030102020102020502766502020903057069616E6F02020704046F72746F0B0208030471756F740902080307746561636865720202080402776F0902090304757365720902020307766F6C63616E6F05200804040404040404040404040404040401200804040404040404040404040404040401200804040404040404040404040404040401180804040404040404040404040308D0B1D180D0B0D1820302080401B203020A0409B6D0B8D0B2D0B5D1820302090405BCD0BED0B80302070409BFD0B5D180D0BCD0B803020B0306E69DB1E4BAAC03020C0106325F323032330C02060301380C02040305616E6F74680C020803036D61690C020504056F6E6461690C02030304757365720C02020304776F72640C0207040A24210A170B0909094A090907230B25070A09090C07094D0D060E0A0E0B0B060A080A09');
CREATE TABLE 'lexical_docsize'(id INTEGER PRIMARY KEY, sz BLOB);
INSERT INTO "lexical_docsize" VALUES(1,X'0A');
INSERT INTO "lexical_docsize" VALUES(2,X'09');
INSERT INTO "lexical_docsize" VALUES(3,X'0B');
INSERT INTO "lexical_docsize" VALUES(5,X'25');
INSERT INTO "lexical_docsize" VALUES(6,X'25');
INSERT INTO "lexical_docsize" VALUES(7,X'25');
INSERT INTO "lexical_docsize" VALUES(8,X'1D');
INSERT INTO "lexical_docsize" VALUES(9,X'09');
INSERT INTO "lexical_docsize" VALUES(10,X'06');
INSERT INTO "lexical_docsize" VALUES(11,X'07');
INSERT INTO "lexical_docsize" VALUES(12,X'07');
CREATE TABLE 'lexical_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;
INSERT INTO "lexical_idx" VALUES(11,X'',2);
INSERT INTO sqlite_master(type,name,tbl_name,rootpage,sql)VALUES('table','lexical_vocabulary','lexical_vocabulary',0,'CREATE VIRTUAL TABLE lexical_vocabulary USING fts5vocab(lexical, row)');
CREATE TABLE memories (
	pk INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	namespace_pk INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	kind VARCHAR NOT NULL, 
	text TEXT NOT NULL, 
	subject TEXT, 
	predicate TEXT, 
	object TEXT, 
	valid_from BIGINT, 
	valid_to BIGINT, 
	recorded_at BIGINT NOT NULL, 
	superseded_at BIGINT, 
	superseded_by TEXT, 
	confidence FLOAT NOT NULL, version_key TEXT, stated_to BIGINT, 
	UNIQUE (namespace_pk, id), 
	FOREIGN KEY(namespace_pk) REFERENCES namespaces (pk)
);
INSERT INTO "memories" VALUES(1,1,'n1','fact','Miso is a cat',NULL,NULL,NULL,NULL,NULL,1683547200000000,NULL,NULL,1.0,NULL,NULL);
INSERT INTO "memories" VALUES(2,1,'n2','fact','Bob lives in Porto','Bob','lives in','Porto',NULL,NULL,1683547200000000,NULL,NULL,1.0,'bob
lives in',NULL);
CREATE TABLE mentions (
	namespace_pk INTEGER NOT NULL, 
	entity_pk INTEGER NOT NULL, 
	event_pk INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	surface TEXT NOT NULL, 
	start INTEGER NOT NULL, 
	PRIMARY KEY (namespace_pk, entity_pk, event_pk), 
	FOREIGN KEY(namespace_pk) REFERENCES namespaces (pk), 
	FOREIGN KEY(event_pk) REFERENCES events (pk) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "mentions" VALUES(1,1,1,'speaker','Alice',-1);
INSERT INTO "mentions" VALUES(1,1,3,'speaker','Alice',-1);
INSERT INTO "mentions" VALUES(1,1,5,'speaker','Alice',-1);
INSERT INTO "mentions" VALUES(1,2,1,'name','Miso',28);
INSERT INTO "mentions" VALUES(1,3,2,'speaker','Bob',-1);
INSERT INTO "mentions" VALUES(1,4,2,'place','Lisbon',27);
INSERT INTO "mentions" VALUES(1,5,3,'initial','Мой',0);
INSERT INTO "mentions" VALUES(1,6,3,'name','Перми',17);
INSERT INTO "mentions" VALUES(1,7,6,'quoted','quoted',16);
INSERT INTO "mentions" VALUES(2,8,7,'initial','Words',0);
CREATE TABLE meta (
	"key" VARCHAR NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('store_id','7d026edde6214c138b6f805f1a634f35');
INSERT INTO "meta" VALUES('embedder','1');
CREATE TABLE namespaces (
	pk INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	path TEXT NOT NULL, 
	next_seq BIGINT DEFAULT '0' NOT NULL, 
	passages BIGINT DEFAULT '0' NOT NULL, 
	terms BIGINT DEFAULT '0' NOT NULL, 
	epoch BIGINT DEFAULT '0' NOT NULL, 
	UNIQUE (path)
);
INSERT INTO "namespaces" VALUES(1,'["default"]',6,10,192,1);
INSERT INTO "namespaces" VALUES(2,'["org","o''neil@example.com"]',1,1,7,0);
CREATE TABLE passages (
	pk INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	namespace_pk INTEGER NOT NULL, 
	event_pk INTEGER, 
	memory_pk INTEGER, 
	start INTEGER NOT NULL, 
	"end" INTEGER NOT NULL, 
	index_text TEXT, 
	terms INTEGER NOT NULL, 
	FOREIGN KEY(namespace_pk) REFERENCES namespaces (pk), 
	FOREIGN KEY(event_pk) REFERENCES events (pk) ON DELETE CASCADE, 
	FOREIGN KEY(memory_pk) REFERENCES memories (pk) ON DELETE CASCADE
);
INSERT INTO "passages" VALUES(1,1,1,NULL,0,33,NULL,10);
INSERT INTO "passages" VALUES(2,1,2,NULL,0,34,NULL,9);
INSERT INTO "passages" VALUES(3,1,3,NULL,0,31,NULL,11);
INSERT INTO "passages" VALUES(5,1,5,NULL,0,400,NULL,37);
INSERT INTO "passages" VALUES(6,1,5,NULL,400,800,NULL,37);
INSERT INTO "passages" VALUES(7,1,5,NULL,800,1200,NULL,37);
INSERT INTO "passages" VALUES(8,1,5,NULL,1200,1500,NULL,29);
INSERT INTO "passages" VALUES(9,1,6,NULL,0,41,NULL,9);
INSERT INTO "passages" VALUES(10,1,NULL,1,0,13,NULL,6);
INSERT INTO "passages" VALUES(11,1,NULL,2,0,18,NULL,7);
INSERT INTO "passages" VALUES(12,2,7,NULL,0,17,NULL,7);
CREATE TABLE pieces (
	pk INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	namespace_pk INTEGER NOT NULL, 
	passage_pk INTEGER NOT NULL, 
	embedder_pk INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	UNIQUE (passage_pk, embedder_pk), 
	FOREIGN KEY(namespace_pk) REFERENCES namespaces (pk), 
	FOREIGN KEY(passage_pk) REFERENCES passages (pk) ON DELETE CASCADE, 
	FOREIGN KEY(embedder_pk) REFERENCES embedders (pk)
);
CREATE TABLE recalls (
	event_pk INTEGER NOT NULL, 
	namespace_pk INTEGER NOT NULL, 
	stability_days FLOAT NOT NULL, 
	recalls INTEGER NOT NULL, 
	last_recalled_at BIGINT NOT NULL, 
	PRIMARY KEY (event_pk), 
	FOREIGN KEY(event_pk) REFERENCES events (pk) ON DELETE CASCADE, 
	FOREIGN KEY(namespace_pk) REFERENCES namespaces (pk)
);
CREATE TABLE sources (
	memory_pk INTEGER NOT NULL, 
	event_pk INTEGER NOT NULL, 
	namespace_pk INTEGER NOT NULL, 
	PRIMARY KEY (memory_pk, event_pk), 
	FOREIGN KEY(memory_pk) REFERENCES memories (pk) ON DELETE CASCADE, 
	FOREIGN KEY(event_pk) REFERENCES events (pk) ON DELETE CASCADE, 
	FOREIGN KEY(namespace_pk) REFERENCES namespaces (pk)
);
INSERT INTO "sources" VALUES(1,1,1);
ANALYZE "sqlite_master";
INSERT INTO "sqlite_stat1" VALUES('changes','ix_changes_record','100000 100000 2');
INSERT INTO "sqlite_stat1" VALUES('edges','edges','100000 100000 20 2 1');
INSERT INTO "sqlite_stat1" VALUES('edges','ix_edges_target','100000 100000 20 2 1');
INSERT INTO "sqlite_stat1" VALUES('entities','ix_entities_first','10000 10000 2');
INSERT INTO "sqlite_stat1" VALUES('entities','sqlite_autoindex_entities_1','10000 10000 1');
INSERT INTO "sqlite_stat1" VALUES('episodes','ix_episodes_range','5000 5000 2 1');
INSERT INTO "sqlite_stat1" VALUES('episodes','sqlite_autoindex_episodes_1','5000 5000 1');
INSERT INTO "sqlite_stat1" VALUES('episodes','sqlite_autoindex_episodes_2','5000 5000 2 1');
INSERT INTO "sqlite_stat1" VALUES('events','ix_events_hash','100000 100000 1');
INSERT INTO "sqlite_stat1" VALUES('events','ix_events_session','100000 100000 25 1');
INSERT INTO "sqlite_stat1" VALUES('events','sqlite_autoindex_events_1','100000 100000 1');
INSERT INTO "sqlite_stat1" VALUES('events','sqlite_autoindex_events_2','100000 100000 1');
INSERT INTO "sqlite_stat1" VALUES('memories','ix_memories_ended','10000 10000 2');
INSERT INTO "sqlite_stat1" VALUES('memories','ix_memories_version','10000 10000 2');
INSERT INTO "sqlite_stat1" VALUES('memories','sqlite_autoindex_memories_1','10000 10000 1');
INSERT INTO "sqlite_stat1" VALUES('mentions','ix_mentions_event','100000 2');
INSERT INTO "sqlite_stat1" VALUES('mentions','mentions','100000 100000 20 1');
INSERT INTO "sqlite_stat1" VALUES('passages','ix_passages_event','100000 1');
INSERT INTO "sqlite_stat1" VALUES('passages','ix_passages_memory','100000 1');
INSERT INTO "sqlite_stat1" VALUES('vectors','ix_vectors_scan','100000 100000 100000 1 1 1');
INSERT INTO "sqlite_stat1" VALUES('vectors','sqlite_autoindex_vectors_1','100000 1 1');
CREATE TABLE vectors (
	pk INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	namespace_pk INTEGER NOT NULL, 
	passage_pk INTEGER NOT NULL, 
	embedder_pk INTEGER NOT NULL, 
	precision VARCHAR NOT NULL, 
	data BLOB NOT NULL, 
	UNIQUE (passage_pk, embedder_pk), 
	FOREIGN KEY(namespace_pk) REFERENCES namespaces (pk), 
	FOREIGN KEY(passage_pk) REFERENCES passages (pk) ON DELETE CASCADE, 
	FOREIGN KEY(embedder_pk) REFERENCES embedders (pk)
);
INSERT INTO "vectors" VALUES(1,1,1,1,'float32',X'373D83BE00000000D1FC95BE00000000363D833E47FCAE3D49FC2EBE49FC2E3E49FCAEBD7D7B54BE157D093F049D0C3FAFFA79BE49FCAEBDC0FB47BD49FCAEBD');
INSERT INTO "vectors" VALUES(2,1,2,1,'float32',X'3D24F1BD0000000066F8CCBE08A88A3E8FCCA83E56AF90BD66F84CBE000000008FCC28BE41C5A23E8FCCA83EB4FFD23E78E2BABE3B24F13D020759BE00000000');
INSERT INTO "vectors" VALUES(3,1,3,1,'float32',X'F35EBCBDF15EBC3DF24757BDB1A4B5BE6EBC643EAF8DD03EB1A4B5BEF15EBCBDF375A1BE6EBC643EE947573C34478D3EF58C86BEEF5E3CBE6CBC64BEB1A4B5BE');
INSERT INTO "vectors" VALUES(5,1,5,1,'float32',X'4FD0F0BD9436E8BE4FD0F0BD4DD0F03D80022CBE8002ACBE999B893D000000004DD0F0BD4DD0F03D4DD0703E399CB43E543512BF4DD0F0BD4DD070BE999B89BD');
INSERT INTO "vectors" VALUES(6,1,6,1,'float32',X'4FD0F0BD9436E8BE4FD0F0BD4DD0F03D80022CBE8002ACBE999B893D000000004DD0F0BD4DD0F03D4DD0703E399CB43E543512BF4DD0F0BD4DD070BE999B89BD');
INSERT INTO "vectors" VALUES(7,1,7,1,'float32',X'4FD0F0BD9436E8BE4FD0F0BD4DD0F03D80022CBE8002ACBE999B893D000000004DD0F0BD4DD0F03D4DD0703E399CB43E543512BF4DD0F0BD4DD070BE999B89BD');
INSERT INTO "vectors" VALUES(8,1,8,1,'float32',X'4FD0F0BD9436E8BE4FD0F0BD4DD0F03D80022CBE8002ACBE999B893D000000004DD0F0BD4DD0F03D4DD0703E399CB43E543512BF4DD0F0BD4DD070BE999B89BD');
INSERT INTO "vectors" VALUES(9,1,9,1,'float32',X'495EF73E8748BEBEC63285BE063A18BEC53205BEC532053EC532053E87483EBE0000000000000000C532053EC74FD13E495E77BEC53205BEC74F51BE27CCC7BE');
INSERT INTO "vectors" VALUES(10,1,10,1,'float32',X'4A062DBEEC1952BE8F3711BF4906ADBD7D5BFD3E000000004906ADBD4906AD3D8D2DF73D4906ADBD49062D3E4906AD3EEC19D2BE00000000884E143D4906ADBD');
INSERT INTO "vectors" VALUES(11,1,11,1,'float32',X'0A1334BE091334BE14D703BF000000000000000000000000091334BE00000000E29F80BE0A13B4BD0913343E470E873EA4A42DBF76591A3D76591A3D0913B4BD');
INSERT INTO "vectors" VALUES(12,2,12,1,'float32',X'45569DBE000000006FBCFEBE3E5A8E3E54CC42BE6FBC7E3E5BC8D1BD6FBC7E3E000000005BC8D1BD5BC8D13D68C0EF3E584ACABE5BC8D1BD68C06FBD00000000');
CREATE INDEX ix_events_hash ON events (namespace_pk, content_hash);
CREATE INDEX ix_events_session ON events (namespace_pk, session, seq);
CREATE INDEX ix_sources_event ON sources (event_pk);
CREATE INDEX ix_passages_event ON passages (event_pk);
CREATE INDEX ix_passages_memory ON passages (memory_pk);
CREATE INDEX ix_passages_waiting ON passages (namespace_pk) WHERE index_text IS NOT NULL;
CREATE INDEX ix_changes_record ON changes (namespace_pk, record_id);
CREATE INDEX ix_memories_version ON memories (namespace_pk, version_key);
CREATE INDEX ix_memories_ended ON memories (namespace_pk, valid_to);
CREATE INDEX ix_episodes_range ON episodes (namespace_pk, last_seq, first_seq);
CREATE INDEX ix_entities_first ON entities (namespace_pk, first_word);
CREATE INDEX ix_mentions_event ON mentions (event_pk);
CREATE INDEX ix_edges_target ON edges (namespace_pk, target_pk);
CREATE INDEX ix_items_version ON items (version);
CREATE INDEX ix_items_expires ON items (expires_at);
CREATE INDEX ix_item_texts_item ON item_texts (item_pk);
CREATE INDEX ix_item_removals_version ON item_removals (version);
CREATE INDEX ix_latents_file ON latents (file);
CREATE INDEX ix_latent_sources_event ON latent_sources (event_pk);
CREATE INDEX ix_vectors_scan ON vectors (namespace_pk, embedder_pk, pk, passage_pk, precision);
PRAGMA writable_schema=OFF;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('embedders',1);
INSERT INTO "sqlite_sequence" VALUES('namespaces',2);
INSERT INTO "sqlite_sequence" VALUES('events',7);
INSERT INTO "sqlite_sequence" VALUES('passages',12);
INSERT INTO "sqlite_sequence" VALUES('vectors',12);
INSERT INTO "sqlite_sequence" VALUES('memories',2);
INSERT INTO "sqlite_sequence" VALUES('changes',4);
INSERT INTO "sqlite_sequence" VALUES('entities',8);
COMMIT;
