SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA agentmem;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE agentmem.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE agentmem.aliases (
    namespace_pk bigint NOT NULL,
    alias_pk bigint NOT NULL,
    entity_pk bigint NOT NULL,
    evidence text NOT NULL
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.aliases FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.aliases_p0 (
    namespace_pk bigint CONSTRAINT aliases_namespace_pk_not_null NOT NULL,
    alias_pk bigint CONSTRAINT aliases_alias_pk_not_null NOT NULL,
    entity_pk bigint CONSTRAINT aliases_entity_pk_not_null NOT NULL,
    evidence text CONSTRAINT aliases_evidence_not_null NOT NULL
);
ALTER TABLE ONLY agentmem.aliases_p0 FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.changes (
    pk bigint NOT NULL,
    namespace_pk bigint NOT NULL,
    record_id text NOT NULL,
    action character varying NOT NULL,
    at bigint NOT NULL,
    detail json NOT NULL
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.changes FORCE ROW LEVEL SECURITY;
CREATE SEQUENCE agentmem.changes_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE agentmem.changes_pk_seq OWNED BY agentmem.changes.pk;
CREATE TABLE agentmem.changes_p0 (
    pk bigint DEFAULT nextval('agentmem.changes_pk_seq'::regclass) CONSTRAINT changes_pk_not_null NOT NULL,
    namespace_pk bigint CONSTRAINT changes_namespace_pk_not_null NOT NULL,
    record_id text CONSTRAINT changes_record_id_not_null NOT NULL,
    action character varying CONSTRAINT changes_action_not_null NOT NULL,
    at bigint CONSTRAINT changes_at_not_null NOT NULL,
    detail json CONSTRAINT changes_detail_not_null NOT NULL
);
ALTER TABLE ONLY agentmem.changes_p0 FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.derivations (
    namespace_pk bigint NOT NULL,
    derived_seq bigint DEFAULT '0'::bigint NOT NULL,
    open_seq bigint DEFAULT '0'::bigint NOT NULL,
    state json NOT NULL
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.derivations FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.derivations_p0 (
    namespace_pk bigint CONSTRAINT derivations_namespace_pk_not_null NOT NULL,
    derived_seq bigint DEFAULT '0'::bigint CONSTRAINT derivations_derived_seq_not_null NOT NULL,
    open_seq bigint DEFAULT '0'::bigint CONSTRAINT derivations_open_seq_not_null NOT NULL,
    state json CONSTRAINT derivations_state_not_null NOT NULL
);
ALTER TABLE ONLY agentmem.derivations_p0 FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.edges (
    namespace_pk bigint NOT NULL,
    source_pk bigint NOT NULL,
    target_pk bigint NOT NULL,
    kind character varying NOT NULL,
    weight integer NOT NULL,
    first_at bigint NOT NULL,
    last_at bigint NOT NULL
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.edges FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.edges_p0 (
    namespace_pk bigint CONSTRAINT edges_namespace_pk_not_null NOT NULL,
    source_pk bigint CONSTRAINT edges_source_pk_not_null NOT NULL,
    target_pk bigint CONSTRAINT edges_target_pk_not_null NOT NULL,
    kind character varying CONSTRAINT edges_kind_not_null NOT NULL,
    weight integer CONSTRAINT edges_weight_not_null NOT NULL,
    first_at bigint CONSTRAINT edges_first_at_not_null NOT NULL,
    last_at bigint CONSTRAINT edges_last_at_not_null NOT NULL
);
ALTER TABLE ONLY agentmem.edges_p0 FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.embedders (
    pk bigint NOT NULL,
    name text NOT NULL,
    dims integer NOT NULL
);
CREATE SEQUENCE agentmem.embedders_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE agentmem.embedders_pk_seq OWNED BY agentmem.embedders.pk;
CREATE TABLE agentmem.entities (
    pk bigint NOT NULL,
    namespace_pk bigint NOT NULL,
    key text NOT NULL,
    first_word text NOT NULL,
    words integer NOT NULL,
    name text NOT NULL,
    kind character varying NOT NULL,
    mentions integer NOT NULL
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.entities FORCE ROW LEVEL SECURITY;
CREATE SEQUENCE agentmem.entities_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE agentmem.entities_pk_seq OWNED BY agentmem.entities.pk;
CREATE TABLE agentmem.entities_p0 (
    pk bigint DEFAULT nextval('agentmem.entities_pk_seq'::regclass) CONSTRAINT entities_pk_not_null NOT NULL,
    namespace_pk bigint CONSTRAINT entities_namespace_pk_not_null NOT NULL,
    key text CONSTRAINT entities_key_not_null NOT NULL,
    first_word text CONSTRAINT entities_first_word_not_null NOT NULL,
    words integer CONSTRAINT entities_words_not_null NOT NULL,
    name text CONSTRAINT entities_name_not_null NOT NULL,
    kind character varying CONSTRAINT entities_kind_not_null NOT NULL,
    mentions integer CONSTRAINT entities_mentions_not_null NOT NULL
);
ALTER TABLE ONLY agentmem.entities_p0 FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.episodes (
    pk bigint NOT NULL,
    namespace_pk bigint NOT NULL,
    id text NOT NULL,
    session text NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    events integer NOT NULL,
    title text NOT NULL,
    summary text NOT NULL,
    reason character varying NOT NULL,
    refined_by text,
    token_count integer NOT NULL,
    started_at bigint NOT NULL,
    ended_at bigint NOT NULL,
    strength double precision DEFAULT '1'::double precision NOT NULL,
    stability_days double precision DEFAULT '1'::double precision NOT NULL,
    recalls integer DEFAULT 0 NOT NULL,
    last_recalled_at bigint
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.episodes FORCE ROW LEVEL SECURITY;
CREATE SEQUENCE agentmem.episodes_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE agentmem.episodes_pk_seq OWNED BY agentmem.episodes.pk;
CREATE TABLE agentmem.episodes_p0 (
    pk bigint DEFAULT nextval('agentmem.episodes_pk_seq'::regclass) CONSTRAINT episodes_pk_not_null NOT NULL,
    namespace_pk bigint CONSTRAINT episodes_namespace_pk_not_null NOT NULL,
    id text CONSTRAINT episodes_id_not_null NOT NULL,
    session text CONSTRAINT episodes_session_not_null NOT NULL,
    first_seq bigint CONSTRAINT episodes_first_seq_not_null NOT NULL,
    last_seq bigint CONSTRAINT episodes_last_seq_not_null NOT NULL,
    events integer CONSTRAINT episodes_events_not_null NOT NULL,
    title text CONSTRAINT episodes_title_not_null NOT NULL,
    summary text CONSTRAINT episodes_summary_not_null NOT NULL,
    reason character varying CONSTRAINT episodes_reason_not_null NOT NULL,
    refined_by text,
    token_count integer CONSTRAINT episodes_token_count_not_null NOT NULL,
    started_at bigint CONSTRAINT episodes_started_at_not_null NOT NULL,
    ended_at bigint CONSTRAINT episodes_ended_at_not_null NOT NULL,
    strength double precision DEFAULT '1'::double precision CONSTRAINT episodes_strength_not_null NOT NULL,
    stability_days double precision DEFAULT '1'::double precision CONSTRAINT episodes_stability_days_not_null NOT NULL,
    recalls integer DEFAULT 0 CONSTRAINT episodes_recalls_not_null NOT NULL,
    last_recalled_at bigint
);
ALTER TABLE ONLY agentmem.episodes_p0 FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.events (
    pk bigint NOT NULL,
    namespace_pk bigint NOT NULL,
    id text NOT NULL,
    session text NOT NULL,
    seq bigint NOT NULL,
    role character varying NOT NULL,
    name text,
    content text NOT NULL,
    occurred_at bigint NOT NULL,
    recorded_at bigint NOT NULL,
    content_hash character varying NOT NULL,
    token_count integer NOT NULL,
    metadata json NOT NULL
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.events FORCE ROW LEVEL SECURITY;
CREATE SEQUENCE agentmem.events_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE agentmem.events_pk_seq OWNED BY agentmem.events.pk;
CREATE TABLE agentmem.events_p0 (
    pk bigint DEFAULT nextval('agentmem.events_pk_seq'::regclass) CONSTRAINT events_pk_not_null NOT NULL,
    namespace_pk bigint CONSTRAINT events_namespace_pk_not_null NOT NULL,
    id text CONSTRAINT events_id_not_null NOT NULL,
    session text CONSTRAINT events_session_not_null NOT NULL,
    seq bigint CONSTRAINT events_seq_not_null NOT NULL,
    role character varying CONSTRAINT events_role_not_null NOT NULL,
    name text,
    content text CONSTRAINT events_content_not_null NOT NULL,
    occurred_at bigint CONSTRAINT events_occurred_at_not_null NOT NULL,
    recorded_at bigint CONSTRAINT events_recorded_at_not_null NOT NULL,
    content_hash character varying CONSTRAINT events_content_hash_not_null NOT NULL,
    token_count integer CONSTRAINT events_token_count_not_null NOT NULL,
    metadata json CONSTRAINT events_metadata_not_null NOT NULL
);
ALTER TABLE ONLY agentmem.events_p0 FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.item_removals (
    item_pk bigint NOT NULL,
    version bigint NOT NULL
);
ALTER TABLE ONLY agentmem.item_removals FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.item_state (
    pk integer NOT NULL,
    version bigint NOT NULL,
    last_pk bigint NOT NULL,
    pruned bigint NOT NULL,
    embedder text NOT NULL,
    dims integer NOT NULL
);
ALTER TABLE ONLY agentmem.item_state FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.item_texts (
    pk bigint NOT NULL,
    item_pk bigint NOT NULL,
    terms text NOT NULL,
    vector bytea
);
ALTER TABLE ONLY agentmem.item_texts FORCE ROW LEVEL SECURITY;
CREATE SEQUENCE agentmem.item_texts_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE agentmem.item_texts_pk_seq OWNED BY agentmem.item_texts.pk;
CREATE TABLE agentmem.items (
    pk bigint NOT NULL,
    path text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    ttl_s double precision,
    expires_at bigint,
    version bigint NOT NULL
);
ALTER TABLE ONLY agentmem.items FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.latent_removals (
    namespace_pk bigint NOT NULL,
    file character varying NOT NULL
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.latent_removals FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.latent_removals_p0 (
    namespace_pk bigint CONSTRAINT latent_removals_namespace_pk_not_null NOT NULL,
    file character varying CONSTRAINT latent_removals_file_not_null NOT NULL
);
ALTER TABLE ONLY agentmem.latent_removals_p0 FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.latent_sources (
    latent_pk bigint NOT NULL,
    event_pk bigint NOT NULL,
    namespace_pk bigint NOT NULL
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.latent_sources FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.latent_sources_p0 (
    latent_pk bigint CONSTRAINT latent_sources_latent_pk_not_null NOT NULL,
    event_pk bigint CONSTRAINT latent_sources_event_pk_not_null NOT NULL,
    namespace_pk bigint CONSTRAINT latent_sources_namespace_pk_not_null NOT NULL
);
ALTER TABLE ONLY agentmem.latent_sources_p0 FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.latents (
    pk bigint NOT NULL,
    namespace_pk bigint NOT NULL,
    owner_id text NOT NULL,
    fingerprint text NOT NULL,
    layout text NOT NULL,
    sha256 character varying NOT NULL,
    file character varying NOT NULL,
    size_bytes bigint NOT NULL,
    created_at bigint NOT NULL
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.latents FORCE ROW LEVEL SECURITY;
CREATE SEQUENCE agentmem.latents_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE agentmem.latents_pk_seq OWNED BY agentmem.latents.pk;
CREATE TABLE agentmem.latents_p0 (
    pk bigint DEFAULT nextval('agentmem.latents_pk_seq'::regclass) CONSTRAINT latents_pk_not_null NOT NULL,
    namespace_pk bigint CONSTRAINT latents_namespace_pk_not_null NOT NULL,
    owner_id text CONSTRAINT latents_owner_id_not_null NOT NULL,
    fingerprint text CONSTRAINT latents_fingerprint_not_null NOT NULL,
    layout text CONSTRAINT latents_layout_not_null NOT NULL,
    sha256 character varying CONSTRAINT latents_sha256_not_null NOT NULL,
    file character varying CONSTRAINT latents_file_not_null NOT NULL,
    size_bytes bigint CONSTRAINT latents_size_bytes_not_null NOT NULL,
    created_at bigint CONSTRAINT latents_created_at_not_null NOT NULL
);
ALTER TABLE ONLY agentmem.latents_p0 FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.memories (
    pk bigint NOT NULL,
    namespace_pk bigint NOT NULL,
    id text NOT NULL,
    kind character varying NOT NULL,
    text text NOT NULL,
    subject text,
    predicate text,
    object text,
    valid_from bigint,
    valid_to bigint,
    recorded_at bigint NOT NULL,
    superseded_at bigint,
    superseded_by text,
    confidence double precision NOT NULL,
    version_key text,
    stated_to bigint
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.memories FORCE ROW LEVEL SECURITY;
CREATE SEQUENCE agentmem.memories_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE agentmem.memories_pk_seq OWNED BY agentmem.memories.pk;
CREATE TABLE agentmem.memories_p0 (
    pk bigint DEFAULT nextval('agentmem.memories_pk_seq'::regclass) CONSTRAINT memories_pk_not_null NOT NULL,
    namespace_pk bigint CONSTRAINT memories_namespace_pk_not_null NOT NULL,
    id text CONSTRAINT memories_id_not_null NOT NULL,
    kind character varying CONSTRAINT memories_kind_not_null NOT NULL,
    text text CONSTRAINT memories_text_not_null NOT NULL,
    subject text,
    predicate text,
    object text,
    valid_from bigint,
    valid_to bigint,
    recorded_at bigint CONSTRAINT memories_recorded_at_not_null NOT NULL,
    superseded_at bigint,
    superseded_by text,
    confidence double precision CONSTRAINT memories_confidence_not_null NOT NULL,
    version_key text,
    stated_to bigint
);
ALTER TABLE ONLY agentmem.memories_p0 FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.mentions (
    namespace_pk bigint NOT NULL,
    entity_pk bigint NOT NULL,
    event_pk bigint NOT NULL,
    kind character varying NOT NULL,
    surface text NOT NULL,
    start integer NOT NULL
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.mentions FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.mentions_p0 (
    namespace_pk bigint CONSTRAINT mentions_namespace_pk_not_null NOT NULL,
    entity_pk bigint CONSTRAINT mentions_entity_pk_not_null NOT NULL,
    event_pk bigint CONSTRAINT mentions_event_pk_not_null NOT NULL,
    kind character varying CONSTRAINT mentions_kind_not_null NOT NULL,
    surface text CONSTRAINT mentions_surface_not_null NOT NULL,
    start integer CONSTRAINT mentions_start_not_null NOT NULL
);
ALTER TABLE ONLY agentmem.mentions_p0 FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.meta (
    key character varying NOT NULL,
    value text NOT NULL
);
CREATE TABLE agentmem.namespaces (
    pk bigint NOT NULL,
    path text NOT NULL,
    next_seq bigint DEFAULT '0'::bigint NOT NULL,
    passages bigint DEFAULT '0'::bigint NOT NULL,
    terms bigint DEFAULT '0'::bigint NOT NULL,
    epoch bigint DEFAULT '0'::bigint NOT NULL
);
ALTER TABLE ONLY agentmem.namespaces FORCE ROW LEVEL SECURITY;
CREATE SEQUENCE agentmem.namespaces_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE agentmem.namespaces_pk_seq OWNED BY agentmem.namespaces.pk;
CREATE TABLE agentmem.passages (
    pk bigint NOT NULL,
    namespace_pk bigint NOT NULL,
    event_pk bigint,
    memory_pk bigint,
    start integer NOT NULL,
    "end" integer NOT NULL,
    index_text text,
    terms integer NOT NULL
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.passages FORCE ROW LEVEL SECURITY;
CREATE SEQUENCE agentmem.passages_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE agentmem.passages_pk_seq OWNED BY agentmem.passages.pk;
CREATE TABLE agentmem.passages_p0 (
    pk bigint DEFAULT nextval('agentmem.passages_pk_seq'::regclass) CONSTRAINT passages_pk_not_null NOT NULL,
    namespace_pk bigint CONSTRAINT passages_namespace_pk_not_null NOT NULL,
    event_pk bigint,
    memory_pk bigint,
    start integer CONSTRAINT passages_start_not_null NOT NULL,
    "end" integer CONSTRAINT passages_end_not_null NOT NULL,
    index_text text,
    terms integer CONSTRAINT passages_terms_not_null NOT NULL
);
ALTER TABLE ONLY agentmem.passages_p0 FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.pieces (
    pk bigint NOT NULL,
    namespace_pk bigint NOT NULL,
    passage_pk bigint NOT NULL,
    embedder_pk bigint NOT NULL,
    data bytea NOT NULL
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.pieces FORCE ROW LEVEL SECURITY;
CREATE SEQUENCE agentmem.pieces_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE agentmem.pieces_pk_seq OWNED BY agentmem.pieces.pk;
CREATE TABLE agentmem.pieces_p0 (
    pk bigint DEFAULT nextval('agentmem.pieces_pk_seq'::regclass) CONSTRAINT pieces_pk_not_null NOT NULL,
    namespace_pk bigint CONSTRAINT pieces_namespace_pk_not_null NOT NULL,
    passage_pk bigint CONSTRAINT pieces_passage_pk_not_null NOT NULL,
    embedder_pk bigint CONSTRAINT pieces_embedder_pk_not_null NOT NULL,
    data bytea CONSTRAINT pieces_data_not_null NOT NULL
);
ALTER TABLE ONLY agentmem.pieces_p0 FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.postings (
    namespace_pk bigint NOT NULL,
    term text NOT NULL COLLATE pg_catalog."C",
    passage_pk bigint NOT NULL,
    n integer NOT NULL,
    length integer NOT NULL
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.postings FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.postings_p0 (
    namespace_pk bigint CONSTRAINT postings_namespace_pk_not_null NOT NULL,
    term text CONSTRAINT postings_term_not_null NOT NULL COLLATE pg_catalog."C",
    passage_pk bigint CONSTRAINT postings_passage_pk_not_null NOT NULL,
    n integer CONSTRAINT postings_n_not_null NOT NULL,
    length integer CONSTRAINT postings_length_not_null NOT NULL
);
ALTER TABLE ONLY agentmem.postings_p0 FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.recalls (
    event_pk bigint NOT NULL,
    namespace_pk bigint NOT NULL,
    stability_days double precision NOT NULL,
    recalls integer NOT NULL,
    last_recalled_at bigint NOT NULL
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.recalls FORCE ROW LEVEL SECURITY;
CREATE SEQUENCE agentmem.recalls_event_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE agentmem.recalls_event_pk_seq OWNED BY agentmem.recalls.event_pk;
CREATE TABLE agentmem.recalls_p0 (
    event_pk bigint DEFAULT nextval('agentmem.recalls_event_pk_seq'::regclass) CONSTRAINT recalls_event_pk_not_null NOT NULL,
    namespace_pk bigint CONSTRAINT recalls_namespace_pk_not_null NOT NULL,
    stability_days double precision CONSTRAINT recalls_stability_days_not_null NOT NULL,
    recalls integer CONSTRAINT recalls_recalls_not_null NOT NULL,
    last_recalled_at bigint CONSTRAINT recalls_last_recalled_at_not_null NOT NULL
);
ALTER TABLE ONLY agentmem.recalls_p0 FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.sources (
    memory_pk bigint NOT NULL,
    event_pk bigint NOT NULL,
    namespace_pk bigint NOT NULL
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.sources FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.sources_p0 (
    memory_pk bigint CONSTRAINT sources_memory_pk_not_null NOT NULL,
    event_pk bigint CONSTRAINT sources_event_pk_not_null NOT NULL,
    namespace_pk bigint CONSTRAINT sources_namespace_pk_not_null NOT NULL
);
ALTER TABLE ONLY agentmem.sources_p0 FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.vector_index (
    namespace_pk bigint NOT NULL,
    passage_pk bigint NOT NULL,
    embedder_pk bigint NOT NULL,
    embedding public.halfvec NOT NULL
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.vector_index FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.vector_index_p0 (
    namespace_pk bigint CONSTRAINT vector_index_namespace_pk_not_null NOT NULL,
    passage_pk bigint CONSTRAINT vector_index_passage_pk_not_null NOT NULL,
    embedder_pk bigint CONSTRAINT vector_index_embedder_pk_not_null NOT NULL,
    embedding public.halfvec CONSTRAINT vector_index_embedding_not_null NOT NULL
);
ALTER TABLE ONLY agentmem.vector_index_p0 FORCE ROW LEVEL SECURITY;
CREATE TABLE agentmem.vectors (
    pk bigint NOT NULL,
    namespace_pk bigint NOT NULL,
    passage_pk bigint NOT NULL,
    embedder_pk bigint NOT NULL,
    "precision" character varying NOT NULL,
    data bytea NOT NULL
)
PARTITION BY HASH (namespace_pk);
ALTER TABLE ONLY agentmem.vectors FORCE ROW LEVEL SECURITY;
CREATE SEQUENCE agentmem.vectors_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE agentmem.vectors_pk_seq OWNED BY agentmem.vectors.pk;
CREATE TABLE agentmem.vectors_p0 (
    pk bigint DEFAULT nextval('agentmem.vectors_pk_seq'::regclass) CONSTRAINT vectors_pk_not_null NOT NULL,
    namespace_pk bigint CONSTRAINT vectors_namespace_pk_not_null NOT NULL,
    passage_pk bigint CONSTRAINT vectors_passage_pk_not_null NOT NULL,
    embedder_pk bigint CONSTRAINT vectors_embedder_pk_not_null NOT NULL,
    "precision" character varying CONSTRAINT vectors_precision_not_null NOT NULL,
    data bytea CONSTRAINT vectors_data_not_null NOT NULL
);
ALTER TABLE ONLY agentmem.vectors_p0 FORCE ROW LEVEL SECURITY;
ALTER TABLE ONLY agentmem.aliases ATTACH PARTITION agentmem.aliases_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.changes ATTACH PARTITION agentmem.changes_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.derivations ATTACH PARTITION agentmem.derivations_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.edges ATTACH PARTITION agentmem.edges_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.entities ATTACH PARTITION agentmem.entities_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.episodes ATTACH PARTITION agentmem.episodes_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.events ATTACH PARTITION agentmem.events_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.latent_removals ATTACH PARTITION agentmem.latent_removals_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.latent_sources ATTACH PARTITION agentmem.latent_sources_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.latents ATTACH PARTITION agentmem.latents_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.memories ATTACH PARTITION agentmem.memories_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.mentions ATTACH PARTITION agentmem.mentions_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.passages ATTACH PARTITION agentmem.passages_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.pieces ATTACH PARTITION agentmem.pieces_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.postings ATTACH PARTITION agentmem.postings_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.recalls ATTACH PARTITION agentmem.recalls_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.sources ATTACH PARTITION agentmem.sources_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.vector_index ATTACH PARTITION agentmem.vector_index_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.vectors ATTACH PARTITION agentmem.vectors_p0 FOR VALUES WITH (modulus 1, remainder 0);
ALTER TABLE ONLY agentmem.changes ALTER COLUMN pk SET DEFAULT nextval('agentmem.changes_pk_seq'::regclass);
ALTER TABLE ONLY agentmem.embedders ALTER COLUMN pk SET DEFAULT nextval('agentmem.embedders_pk_seq'::regclass);
ALTER TABLE ONLY agentmem.entities ALTER COLUMN pk SET DEFAULT nextval('agentmem.entities_pk_seq'::regclass);
ALTER TABLE ONLY agentmem.episodes ALTER COLUMN pk SET DEFAULT nextval('agentmem.episodes_pk_seq'::regclass);
ALTER TABLE ONLY agentmem.events ALTER COLUMN pk SET DEFAULT nextval('agentmem.events_pk_seq'::regclass);
ALTER TABLE ONLY agentmem.item_texts ALTER COLUMN pk SET DEFAULT nextval('agentmem.item_texts_pk_seq'::regclass);
ALTER TABLE ONLY agentmem.latents ALTER COLUMN pk SET DEFAULT nextval('agentmem.latents_pk_seq'::regclass);
ALTER TABLE ONLY agentmem.memories ALTER COLUMN pk SET DEFAULT nextval('agentmem.memories_pk_seq'::regclass);
ALTER TABLE ONLY agentmem.namespaces ALTER COLUMN pk SET DEFAULT nextval('agentmem.namespaces_pk_seq'::regclass);
ALTER TABLE ONLY agentmem.passages ALTER COLUMN pk SET DEFAULT nextval('agentmem.passages_pk_seq'::regclass);
ALTER TABLE ONLY agentmem.pieces ALTER COLUMN pk SET DEFAULT nextval('agentmem.pieces_pk_seq'::regclass);
ALTER TABLE ONLY agentmem.recalls ALTER COLUMN event_pk SET DEFAULT nextval('agentmem.recalls_event_pk_seq'::regclass);
ALTER TABLE ONLY agentmem.vectors ALTER COLUMN pk SET DEFAULT nextval('agentmem.vectors_pk_seq'::regclass);
INSERT INTO agentmem.alembic_version VALUES ('0007');
INSERT INTO agentmem.changes_p0 VALUES (1, 1, 'n1', 'noted', 1683547200000000, '{"kind": "fact"}');
INSERT INTO agentmem.changes_p0 VALUES (2, 1, 'n2', 'noted', 1683547200000000, '{"kind": "fact"}');
INSERT INTO agentmem.changes_p0 VALUES (3, 1, 'gone', 'remembered', 1683547200000000, '{}');
INSERT INTO agentmem.changes_p0 VALUES (4, 1, 'gone', 'forgotten', 1683547200000000, '{}');
INSERT INTO agentmem.derivations_p0 VALUES (1, 6, 0, '{"segments": {"running": [1.0, 1.0, 0.0], "scores": {"s1": [0.0]}}}');
INSERT INTO agentmem.derivations_p0 VALUES (2, 1, 0, '{"segments": {"running": [0.0, 0.0, 0.0], "scores": {}}}');
INSERT INTO agentmem.edges_p0 VALUES (1, 1, 2, 'speaks_of', 1, 1683547200000000, 1683547200000000);
INSERT INTO agentmem.edges_p0 VALUES (1, 3, 4, 'speaks_of', 1, 1683547200000000, 1683547200000000);
INSERT INTO agentmem.edges_p0 VALUES (1, 1, 6, 'speaks_of', 1, 1683547200000000, 1683547200000000);
INSERT INTO agentmem.embedders VALUES (1, 'hash-16', 16);
INSERT INTO agentmem.entities_p0 VALUES (1, 1, 'alice', 'alice', 1, 'Alice', 'speaker', 3);
INSERT INTO agentmem.entities_p0 VALUES (2, 1, 'miso', 'miso', 1, 'Miso', 'name', 1);
INSERT INTO agentmem.entities_p0 VALUES (3, 1, 'bob', 'bob', 1, 'Bob', 'speaker', 1);
INSERT INTO agentmem.entities_p0 VALUES (4, 1, 'lisbon', 'lisbon', 1, 'Lisbon', 'place', 1);
INSERT INTO agentmem.entities_p0 VALUES (5, 1, 'мои', 'мои', 1, 'Мой', 'initial', 1);
INSERT INTO agentmem.entities_p0 VALUES (6, 1, 'перми', 'перми', 1, 'Перми', 'name', 1);
INSERT INTO agentmem.entities_p0 VALUES (7, 1, 'quoted', 'quoted', 1, 'quoted', 'quoted', 1);
INSERT INTO agentmem.entities_p0 VALUES (8, 2, 'words', 'words', 1, 'Words', 'initial', 1);
INSERT INTO agentmem.events_p0 VALUES (1, 1, 'e1', 's1', 0, 'user', 'Alice', 'I adopted a grey cat called Miso.', 1683547200000000, 1683547200000000, '37bcc97faa12bd8f750b722f7db0e4856f5b31fba428737f22d3f8d2f9fd9df3', 8, '{}');
INSERT INTO agentmem.events_p0 VALUES (2, 1, 'e2', 's1', 1, 'user', 'Bob', 'The piano teacher moved to Lisbon.', 1683547200000000, 1683547200000000, '338f9c3d63b0e1cbd7bb0f1416b8a9d9fed7758aa2132475aad3f0acdc779161', 7, '{}');
INSERT INTO agentmem.events_p0 VALUES (3, 1, 'e3', 's1', 2, 'user', 'Alice', 'Мой брат живёт в Перми, 東京 too.', 1683547200000000, 1683547200000000, '41205b3ca427389166aba5c7fed35559db8745bf9854014633435b68d974456f', 23, '{}');
INSERT INTO agentmem.events_p0 VALUES (5, 1, 'e4', 's2', 4, 'user', 'Alice', 'We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. We hiked up the volcano. ', 1683547200000000, 1683547200000000, 'f454a5849875b5aee014102fce5990c13af8bad68e7ad97d909e34826d3af85b', 360, '{}');
INSERT INTO agentmem.events_p0 VALUES (6, 1, 'e5', 's2', 5, 'user', NULL, '100% of it''s \ "quoted"
and on two lines.', 1683547200000000, 1683547200000000, '004f76b3ec03b07028a23aa330dbfbd045c00f21cdb4beacf260ee35ac332f92', 15, '{}');
INSERT INTO agentmem.events_p0 VALUES (7, 2, 'e1', 'default', 0, 'user', NULL, 'Words of another.', 1683547200000000, 1683547200000000, '38d96bb747306260f2a2bece54f5af1b3c73b8964147cdeda3da35b5d2de12a9', 4, '{}');
INSERT INTO agentmem.item_state VALUES (1, 0, 0, 0, '', 0);
INSERT INTO agentmem.memories_p0 VALUES (1, 1, 'n1', 'fact', 'Miso is a cat', NULL, NULL, NULL, NULL, NULL, 1683547200000000, NULL, NULL, 1, NULL, NULL);
INSERT INTO agentmem.memories_p0 VALUES (2, 1, 'n2', 'fact', 'Bob lives in Porto', 'Bob', 'lives in', 'Porto', NULL, NULL, 1683547200000000, NULL, NULL, 1, 'bob
lives in', NULL);
INSERT INTO agentmem.mentions_p0 VALUES (1, 1, 1, 'speaker', 'Alice', -1);
INSERT INTO agentmem.mentions_p0 VALUES (1, 2, 1, 'name', 'Miso', 28);
INSERT INTO agentmem.mentions_p0 VALUES (1, 3, 2, 'speaker', 'Bob', -1);
INSERT INTO agentmem.mentions_p0 VALUES (1, 4, 2, 'place', 'Lisbon', 27);
INSERT INTO agentmem.mentions_p0 VALUES (1, 1, 3, 'speaker', 'Alice', -1);
INSERT INTO agentmem.mentions_p0 VALUES (1, 5, 3, 'initial', 'Мой', 0);
INSERT INTO agentmem.mentions_p0 VALUES (1, 6, 3, 'name', 'Перми', 17);
INSERT INTO agentmem.mentions_p0 VALUES (1, 1, 5, 'speaker', 'Alice', -1);
INSERT INTO agentmem.mentions_p0 VALUES (1, 7, 6, 'quoted', 'quoted', 16);
INSERT INTO agentmem.mentions_p0 VALUES (2, 8, 7, 'initial', 'Words', 0);
INSERT INTO agentmem.meta VALUES ('store_id', 'bba52216f361436994839d28b173c0df');
INSERT INTO agentmem.meta VALUES ('embedder', '1');
INSERT INTO agentmem.namespaces VALUES (2, '["org","o''neil@example.com"]', 1, 1, 7, 0);
INSERT INTO agentmem.namespaces VALUES (1, '["default"]', 6, 10, 192, 1);
INSERT INTO agentmem.passages_p0 VALUES (1, 1, 1, NULL, 0, 33, NULL, 10);
INSERT INTO agentmem.passages_p0 VALUES (2, 1, 2, NULL, 0, 34, NULL, 9);
INSERT INTO agentmem.passages_p0 VALUES (3, 1, 3, NULL, 0, 31, NULL, 11);
INSERT INTO agentmem.passages_p0 VALUES (5, 1, 5, NULL, 0, 400, NULL, 37);
INSERT INTO agentmem.passages_p0 VALUES (6, 1, 5, NULL, 400, 800, NULL, 37);
INSERT INTO agentmem.passages_p0 VALUES (7, 1, 5, NULL, 800, 1200, NULL, 37);
INSERT INTO agentmem.passages_p0 VALUES (8, 1, 5, NULL, 1200, 1500, NULL, 29);
INSERT INTO agentmem.passages_p0 VALUES (9, 1, 6, NULL, 0, 41, NULL, 9);
INSERT INTO agentmem.passages_p0 VALUES (10, 1, NULL, 1, 0, 13, NULL, 6);
INSERT INTO agentmem.passages_p0 VALUES (11, 1, NULL, 2, 0, 18, NULL, 7);
INSERT INTO agentmem.passages_p0 VALUES (12, 2, 7, NULL, 0, 17, NULL, 7);
INSERT INTO agentmem.postings_p0 VALUES (1, '2023', 1, 1, 10);
INSERT INTO agentmem.postings_p0 VALUES (1, '8', 1, 1, 10);
INSERT INTO agentmem.postings_p0 VALUES (1, 'adopt', 1, 1, 10);
INSERT INTO agentmem.postings_p0 VALUES (1, 'alic', 1, 1, 10);
INSERT INTO agentmem.postings_p0 VALUES (1, 'call', 1, 1, 10);
INSERT INTO agentmem.postings_p0 VALUES (1, 'cat', 1, 1, 10);
INSERT INTO agentmem.postings_p0 VALUES (1, 'grei', 1, 1, 10);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mai', 1, 1, 10);
INSERT INTO agentmem.postings_p0 VALUES (1, 'miso', 1, 1, 10);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mondai', 1, 1, 10);
INSERT INTO agentmem.postings_p0 VALUES (1, '2023', 2, 1, 9);
INSERT INTO agentmem.postings_p0 VALUES (1, '8', 2, 1, 9);
INSERT INTO agentmem.postings_p0 VALUES (1, 'bob', 2, 1, 9);
INSERT INTO agentmem.postings_p0 VALUES (1, 'lisbon', 2, 1, 9);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mai', 2, 1, 9);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mondai', 2, 1, 9);
INSERT INTO agentmem.postings_p0 VALUES (1, 'move', 2, 1, 9);
INSERT INTO agentmem.postings_p0 VALUES (1, 'piano', 2, 1, 9);
INSERT INTO agentmem.postings_p0 VALUES (1, 'teacher', 2, 1, 9);
INSERT INTO agentmem.postings_p0 VALUES (1, '2023', 3, 1, 11);
INSERT INTO agentmem.postings_p0 VALUES (1, '8', 3, 1, 11);
INSERT INTO agentmem.postings_p0 VALUES (1, 'alic', 3, 1, 11);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mai', 3, 1, 11);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mondai', 3, 1, 11);
INSERT INTO agentmem.postings_p0 VALUES (1, 'брат', 3, 1, 11);
INSERT INTO agentmem.postings_p0 VALUES (1, 'в', 3, 1, 11);
INSERT INTO agentmem.postings_p0 VALUES (1, 'живет', 3, 1, 11);
INSERT INTO agentmem.postings_p0 VALUES (1, 'мои', 3, 1, 11);
INSERT INTO agentmem.postings_p0 VALUES (1, 'перми', 3, 1, 11);
INSERT INTO agentmem.postings_p0 VALUES (1, '東京', 3, 1, 11);
INSERT INTO agentmem.postings_p0 VALUES (1, '2023', 5, 1, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, '8', 5, 1, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, 'alic', 5, 1, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, 'hike', 5, 16, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mai', 5, 1, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mondai', 5, 1, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, 'volcano', 5, 16, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, '2023', 6, 1, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, '8', 6, 1, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, 'alic', 6, 1, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, 'hike', 6, 16, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mai', 6, 1, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mondai', 6, 1, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, 'volcano', 6, 16, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, '2023', 7, 1, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, '8', 7, 1, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, 'alic', 7, 1, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, 'hike', 7, 16, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mai', 7, 1, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mondai', 7, 1, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, 'volcano', 7, 16, 37);
INSERT INTO agentmem.postings_p0 VALUES (1, '2023', 8, 1, 29);
INSERT INTO agentmem.postings_p0 VALUES (1, '8', 8, 1, 29);
INSERT INTO agentmem.postings_p0 VALUES (1, 'alic', 8, 1, 29);
INSERT INTO agentmem.postings_p0 VALUES (1, 'hike', 8, 12, 29);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mai', 8, 1, 29);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mondai', 8, 1, 29);
INSERT INTO agentmem.postings_p0 VALUES (1, 'volcano', 8, 12, 29);
INSERT INTO agentmem.postings_p0 VALUES (1, '100', 9, 1, 9);
INSERT INTO agentmem.postings_p0 VALUES (1, '2023', 9, 1, 9);
INSERT INTO agentmem.postings_p0 VALUES (1, '8', 9, 1, 9);
INSERT INTO agentmem.postings_p0 VALUES (1, 'line', 9, 1, 9);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mai', 9, 1, 9);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mondai', 9, 1, 9);
INSERT INTO agentmem.postings_p0 VALUES (1, 'quot', 9, 1, 9);
INSERT INTO agentmem.postings_p0 VALUES (1, 'two', 9, 1, 9);
INSERT INTO agentmem.postings_p0 VALUES (1, 'user', 9, 1, 9);
INSERT INTO agentmem.postings_p0 VALUES (1, '2023', 10, 1, 6);
INSERT INTO agentmem.postings_p0 VALUES (1, '8', 10, 1, 6);
INSERT INTO agentmem.postings_p0 VALUES (1, 'cat', 10, 1, 6);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mai', 10, 1, 6);
INSERT INTO agentmem.postings_p0 VALUES (1, 'miso', 10, 1, 6);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mondai', 10, 1, 6);
INSERT INTO agentmem.postings_p0 VALUES (1, '2023', 11, 1, 7);
INSERT INTO agentmem.postings_p0 VALUES (1, '8', 11, 1, 7);
INSERT INTO agentmem.postings_p0 VALUES (1, 'bob', 11, 1, 7);
INSERT INTO agentmem.postings_p0 VALUES (1, 'live', 11, 1, 7);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mai', 11, 1, 7);
INSERT INTO agentmem.postings_p0 VALUES (1, 'mondai', 11, 1, 7);
INSERT INTO agentmem.postings_p0 VALUES (1, 'porto', 11, 1, 7);
INSERT INTO agentmem.postings_p0 VALUES (2, '2023', 12, 1, 7);
INSERT INTO agentmem.postings_p0 VALUES (2, '8', 12, 1, 7);
INSERT INTO agentmem.postings_p0 VALUES (2, 'anoth', 12, 1, 7);
INSERT INTO agentmem.postings_p0 VALUES (2, 'mai', 12, 1, 7);
INSERT INTO agentmem.postings_p0 VALUES (2, 'mondai', 12, 1, 7);
INSERT INTO agentmem.postings_p0 VALUES (2, 'user', 12, 1, 7);
INSERT INTO agentmem.postings_p0 VALUES (2, 'word', 12, 1, 7);
INSERT INTO agentmem.sources_p0 VALUES (1, 1, 1);
INSERT INTO agentmem.vector_index_p0 VALUES (1, 1, 1, '[-0.25634766,0,-0.29296875,0,0.25634766,0.08544922,-0.17089844,0.17089844,-0.08544922,-0.20751953,0.5371094,0.5493164,-0.24414062,-0.08544922,-0.048828125,-0.08544922]');
INSERT INTO agentmem.vector_index_p0 VALUES (1, 2, 1, '[-0.11773682,0,-0.40039062,0.27075195,0.32958984,-0.070617676,-0.20019531,0,-0.16479492,0.3178711,0.32958984,0.41210938,-0.36499023,0.11773682,-0.21191406,0]');
INSERT INTO agentmem.vector_index_p0 VALUES (1, 3, 1, '[-0.09197998,0.09197998,-0.05255127,-0.35473633,0.22338867,0.40722656,-0.35473633,-0.09197998,-0.3154297,0.22338867,0.013137817,0.2758789,-0.2626953,-0.18395996,-0.22338867,-0.35473633]');
INSERT INTO agentmem.vector_index_p0 VALUES (1, 5, 1, '[-0.117614746,-0.45361328,-0.117614746,0.117614746,-0.16796875,-0.3359375,0.06719971,0,-0.117614746,0.117614746,0.23522949,0.3527832,-0.57128906,-0.117614746,-0.23522949,-0.06719971]');
INSERT INTO agentmem.vector_index_p0 VALUES (1, 6, 1, '[-0.117614746,-0.45361328,-0.117614746,0.117614746,-0.16796875,-0.3359375,0.06719971,0,-0.117614746,0.117614746,0.23522949,0.3527832,-0.57128906,-0.117614746,-0.23522949,-0.06719971]');
INSERT INTO agentmem.vector_index_p0 VALUES (1, 7, 1, '[-0.117614746,-0.45361328,-0.117614746,0.117614746,-0.16796875,-0.3359375,0.06719971,0,-0.117614746,0.117614746,0.23522949,0.3527832,-0.57128906,-0.117614746,-0.23522949,-0.06719971]');
INSERT INTO agentmem.vector_index_p0 VALUES (1, 8, 1, '[-0.117614746,-0.45361328,-0.117614746,0.117614746,-0.16796875,-0.3359375,0.06719971,0,-0.117614746,0.117614746,0.23522949,0.3527832,-0.57128906,-0.117614746,-0.23522949,-0.06719971]');
INSERT INTO agentmem.vector_index_p0 VALUES (1, 9, 1, '[0.4831543,-0.37158203,-0.2602539,-0.14868164,-0.13012695,0.13012695,0.13012695,-0.18579102,0,0,0.13012695,0.4086914,-0.24157715,-0.13012695,-0.2043457,-0.39013672]');
INSERT INTO agentmem.vector_index_p0 VALUES (1, 10, 1, '[-0.16894531,-0.2052002,-0.5673828,-0.084472656,0.49487305,0,-0.084472656,0.084472656,0.120666504,-0.084472656,0.16894531,0.33789062,-0.4104004,0,0.036193848,-0.084472656]');
INSERT INTO agentmem.vector_index_p0 VALUES (1, 11, 1, '[-0.17590332,-0.17590332,-0.5151367,0,0,0,-0.17590332,0,-0.2512207,-0.08795166,0.17590332,0.26367188,-0.67822266,0.03768921,0.03768921,-0.08795166]');
INSERT INTO agentmem.vector_index_p0 VALUES (2, 12, 1, '[-0.30737305,0,-0.4975586,0.27807617,-0.19018555,0.2487793,-0.10241699,0.2487793,0,-0.10241699,0.10241699,0.46826172,-0.39501953,-0.10241699,-0.058532715,0]');
INSERT INTO agentmem.vectors_p0 VALUES (1, 1, 1, 1, 'float32', '\x373d83be00000000d1fc95be00000000363d833e47fcae3d49fc2ebe49fc2e3e49fcaebd7d7b54be157d093f049d0c3faffa79be49fcaebdc0fb47bd49fcaebd');
INSERT INTO agentmem.vectors_p0 VALUES (2, 1, 2, 1, 'float32', '\x3d24f1bd0000000066f8ccbe08a88a3e8fcca83e56af90bd66f84cbe000000008fcc28be41c5a23e8fcca83eb4ffd23e78e2babe3b24f13d020759be00000000');
INSERT INTO agentmem.vectors_p0 VALUES (3, 1, 3, 1, 'float32', '\xf35ebcbdf15ebc3df24757bdb1a4b5be6ebc643eaf8dd03eb1a4b5bef15ebcbdf375a1be6ebc643ee947573c34478d3ef58c86beef5e3cbe6cbc64beb1a4b5be');
INSERT INTO agentmem.vectors_p0 VALUES (5, 1, 5, 1, 'float32', '\x4fd0f0bd9436e8be4fd0f0bd4dd0f03d80022cbe8002acbe999b893d000000004dd0f0bd4dd0f03d4dd0703e399cb43e543512bf4dd0f0bd4dd070be999b89bd');
INSERT INTO agentmem.vectors_p0 VALUES (6, 1, 6, 1, 'float32', '\x4fd0f0bd9436e8be4fd0f0bd4dd0f03d80022cbe8002acbe999b893d000000004dd0f0bd4dd0f03d4dd0703e399cb43e543512bf4dd0f0bd4dd070be999b89bd');
INSERT INTO agentmem.vectors_p0 VALUES (7, 1, 7, 1, 'float32', '\x4fd0f0bd9436e8be4fd0f0bd4dd0f03d80022cbe8002acbe999b893d000000004dd0f0bd4dd0f03d4dd0703e399cb43e543512bf4dd0f0bd4dd070be999b89bd');
INSERT INTO agentmem.vectors_p0 VALUES (8, 1, 8, 1, 'float32', '\x4fd0f0bd9436e8be4fd0f0bd4dd0f03d80022cbe8002acbe999b893d000000004dd0f0bd4dd0f03d4dd0703e399cb43e543512bf4dd0f0bd4dd070be999b89bd');
INSERT INTO agentmem.vectors_p0 VALUES (9, 1, 9, 1, 'float32', '\x495ef73e8748bebec63285be063a18bec53205bec532053ec532053e87483ebe0000000000000000c532053ec74fd13e495e77bec53205bec74f51be27ccc7be');
INSERT INTO agentmem.vectors_p0 VALUES (10, 1, 10, 1, 'float32', '\x4a062dbeec1952be8f3711bf4906adbd7d5bfd3e000000004906adbd4906ad3d8d2df73d4906adbd49062d3e4906ad3eec19d2be00000000884e143d4906adbd');
INSERT INTO agentmem.vectors_p0 VALUES (11, 1, 11, 1, 'float32', '\x0a1334be091334be14d703bf000000000000000000000000091334be00000000e29f80be0a13b4bd0913343e470e873ea4a42dbf76591a3d76591a3d0913b4bd');
INSERT INTO agentmem.vectors_p0 VALUES (12, 2, 12, 1, 'float32', '\x45569dbe000000006fbcfebe3e5a8e3e54cc42be6fbc7e3e5bc8d1bd6fbc7e3e000000005bc8d1bd5bc8d13d68c0ef3e584acabe5bc8d1bd68c06fbd00000000');
SELECT pg_catalog.setval('agentmem.changes_pk_seq', 4, true);
SELECT pg_catalog.setval('agentmem.embedders_pk_seq', 1, true);
SELECT pg_catalog.setval('agentmem.entities_pk_seq', 8, true);
SELECT pg_catalog.setval('agentmem.episodes_pk_seq', 1, false);
SELECT pg_catalog.setval('agentmem.events_pk_seq', 7, true);
SELECT pg_catalog.setval('agentmem.item_texts_pk_seq', 1, false);
SELECT pg_catalog.setval('agentmem.latents_pk_seq', 1, false);
SELECT pg_catalog.setval('agentmem.memories_pk_seq', 2, true);
SELECT pg_catalog.setval('agentmem.namespaces_pk_seq', 2, true);
SELECT pg_catalog.setval('agentmem.passages_pk_seq', 12, true);
SELECT pg_catalog.setval('agentmem.pieces_pk_seq', 1, false);
SELECT pg_catalog.setval('agentmem.recalls_event_pk_seq', 1, false);
SELECT pg_catalog.setval('agentmem.vectors_pk_seq', 12, true);
ALTER TABLE ONLY agentmem.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY agentmem.aliases
    ADD CONSTRAINT aliases_pkey PRIMARY KEY (namespace_pk, alias_pk);
ALTER TABLE ONLY agentmem.aliases_p0
    ADD CONSTRAINT aliases_p0_pkey PRIMARY KEY (namespace_pk, alias_pk);
ALTER TABLE ONLY agentmem.changes
    ADD CONSTRAINT changes_pkey PRIMARY KEY (pk, namespace_pk);
ALTER TABLE ONLY agentmem.changes_p0
    ADD CONSTRAINT changes_p0_pkey PRIMARY KEY (pk, namespace_pk);
ALTER TABLE ONLY agentmem.derivations
    ADD CONSTRAINT derivations_pkey PRIMARY KEY (namespace_pk);
ALTER TABLE ONLY agentmem.derivations_p0
    ADD CONSTRAINT derivations_p0_pkey PRIMARY KEY (namespace_pk);
ALTER TABLE ONLY agentmem.edges
    ADD CONSTRAINT edges_pkey PRIMARY KEY (namespace_pk, source_pk, target_pk, kind);
ALTER TABLE ONLY agentmem.edges_p0
    ADD CONSTRAINT edges_p0_pkey PRIMARY KEY (namespace_pk, source_pk, target_pk, kind);
ALTER TABLE ONLY agentmem.embedders
    ADD CONSTRAINT embedders_name_key UNIQUE (name);
ALTER TABLE ONLY agentmem.embedders
    ADD CONSTRAINT embedders_pkey PRIMARY KEY (pk);
ALTER TABLE ONLY agentmem.entities
    ADD CONSTRAINT entities_namespace_pk_key_key UNIQUE (namespace_pk, key);
ALTER TABLE ONLY agentmem.entities_p0
    ADD CONSTRAINT entities_p0_namespace_pk_key_key UNIQUE (namespace_pk, key);
ALTER TABLE ONLY agentmem.entities
    ADD CONSTRAINT entities_pkey PRIMARY KEY (pk, namespace_pk);
ALTER TABLE ONLY agentmem.entities_p0
    ADD CONSTRAINT entities_p0_pkey PRIMARY KEY (pk, namespace_pk);
ALTER TABLE ONLY agentmem.episodes
    ADD CONSTRAINT episodes_namespace_pk_id_key UNIQUE (namespace_pk, id);
ALTER TABLE ONLY agentmem.episodes
    ADD CONSTRAINT episodes_namespace_pk_session_first_seq_key UNIQUE (namespace_pk, session, first_seq);
ALTER TABLE ONLY agentmem.episodes_p0
    ADD CONSTRAINT episodes_p0_namespace_pk_id_key UNIQUE (namespace_pk, id);
ALTER TABLE ONLY agentmem.episodes_p0
    ADD CONSTRAINT episodes_p0_namespace_pk_session_first_seq_key UNIQUE (namespace_pk, session, first_seq);
ALTER TABLE ONLY agentmem.episodes
    ADD CONSTRAINT episodes_pkey PRIMARY KEY (pk, namespace_pk);
ALTER TABLE ONLY agentmem.episodes_p0
    ADD CONSTRAINT episodes_p0_pkey PRIMARY KEY (pk, namespace_pk);
ALTER TABLE ONLY agentmem.events
    ADD CONSTRAINT events_namespace_pk_id_key UNIQUE (namespace_pk, id);
ALTER TABLE ONLY agentmem.events
    ADD CONSTRAINT events_namespace_pk_seq_key UNIQUE (namespace_pk, seq);
ALTER TABLE ONLY agentmem.events_p0
    ADD CONSTRAINT events_p0_namespace_pk_id_key UNIQUE (namespace_pk, id);
ALTER TABLE ONLY agentmem.events_p0
    ADD CONSTRAINT events_p0_namespace_pk_seq_key UNIQUE (namespace_pk, seq);
ALTER TABLE ONLY agentmem.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (pk, namespace_pk);
ALTER TABLE ONLY agentmem.events_p0
    ADD CONSTRAINT events_p0_pkey PRIMARY KEY (pk, namespace_pk);
ALTER TABLE ONLY agentmem.item_removals
    ADD CONSTRAINT item_removals_pkey PRIMARY KEY (item_pk);
ALTER TABLE ONLY agentmem.item_state
    ADD CONSTRAINT item_state_pkey PRIMARY KEY (pk);
ALTER TABLE ONLY agentmem.item_texts
    ADD CONSTRAINT item_texts_pkey PRIMARY KEY (pk);
ALTER TABLE ONLY agentmem.items
    ADD CONSTRAINT items_path_key_key UNIQUE (path, key);
ALTER TABLE ONLY agentmem.items
    ADD CONSTRAINT items_pkey PRIMARY KEY (pk);
ALTER TABLE ONLY agentmem.latent_removals
    ADD CONSTRAINT latent_removals_pkey PRIMARY KEY (namespace_pk, file);
ALTER TABLE ONLY agentmem.latent_removals_p0
    ADD CONSTRAINT latent_removals_p0_pkey PRIMARY KEY (namespace_pk, file);
ALTER TABLE ONLY agentmem.latent_sources
    ADD CONSTRAINT latent_sources_pkey PRIMARY KEY (latent_pk, event_pk, namespace_pk);
ALTER TABLE ONLY agentmem.latent_sources_p0
    ADD CONSTRAINT latent_sources_p0_pkey PRIMARY KEY (latent_pk, event_pk, namespace_pk);
ALTER TABLE ONLY agentmem.latents
    ADD CONSTRAINT latents_namespace_pk_owner_id_fingerprint_layout_key UNIQUE (namespace_pk, owner_id, fingerprint, layout);
ALTER TABLE ONLY agentmem.latents_p0
    ADD CONSTRAINT latents_p0_namespace_pk_owner_id_fingerprint_layout_key UNIQUE (namespace_pk, owner_id, fingerprint, layout);
ALTER TABLE ONLY agentmem.latents
    ADD CONSTRAINT latents_pkey PRIMARY KEY (pk, namespace_pk);
ALTER TABLE ONLY agentmem.latents_p0
    ADD CONSTRAINT latents_p0_pkey PRIMARY KEY (pk, namespace_pk);
ALTER TABLE ONLY agentmem.memories
    ADD CONSTRAINT memories_namespace_pk_id_key UNIQUE (namespace_pk, id);
ALTER TABLE ONLY agentmem.memories_p0
    ADD CONSTRAINT memories_p0_namespace_pk_id_key UNIQUE (namespace_pk, id);
ALTER TABLE ONLY agentmem.memories
    ADD CONSTRAINT memories_pkey PRIMARY KEY (pk, namespace_pk);
ALTER TABLE ONLY agentmem.memories_p0
    ADD CONSTRAINT memories_p0_pkey PRIMARY KEY (pk, namespace_pk);
ALTER TABLE ONLY agentmem.mentions
    ADD CONSTRAINT mentions_pkey PRIMARY KEY (namespace_pk, entity_pk, event_pk);
ALTER TABLE ONLY agentmem.mentions_p0
    ADD CONSTRAINT mentions_p0_pkey PRIMARY KEY (namespace_pk, entity_pk, event_pk);
ALTER TABLE ONLY agentmem.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (key);
ALTER TABLE ONLY agentmem.namespaces
    ADD CONSTRAINT namespaces_path_key UNIQUE (path);
ALTER TABLE ONLY agentmem.namespaces
    ADD CONSTRAINT namespaces_pkey PRIMARY KEY (pk);
ALTER TABLE ONLY agentmem.passages
    ADD CONSTRAINT passages_pkey PRIMARY KEY (pk, namespace_pk);
ALTER TABLE ONLY agentmem.passages_p0
    ADD CONSTRAINT passages_p0_pkey PRIMARY KEY (pk, namespace_pk);
ALTER TABLE ONLY agentmem.pieces
    ADD CONSTRAINT pieces_passage_pk_embedder_pk_namespace_pk_key UNIQUE (passage_pk, embedder_pk, namespace_pk);
ALTER TABLE ONLY agentmem.pieces_p0
    ADD CONSTRAINT pieces_p0_passage_pk_embedder_pk_namespace_pk_key UNIQUE (passage_pk, embedder_pk, namespace_pk);
ALTER TABLE ONLY agentmem.pieces
    ADD CONSTRAINT pieces_pkey PRIMARY KEY (pk, namespace_pk);
ALTER TABLE ONLY agentmem.pieces_p0
    ADD CONSTRAINT pieces_p0_pkey PRIMARY KEY (pk, namespace_pk);
ALTER TABLE ONLY agentmem.recalls
    ADD CONSTRAINT recalls_pkey PRIMARY KEY (event_pk, namespace_pk);
ALTER TABLE ONLY agentmem.recalls_p0
    ADD CONSTRAINT recalls_p0_pkey PRIMARY KEY (event_pk, namespace_pk);
ALTER TABLE ONLY agentmem.sources
    ADD CONSTRAINT sources_pkey PRIMARY KEY (memory_pk, event_pk, namespace_pk);
ALTER TABLE ONLY agentmem.sources_p0
    ADD CONSTRAINT sources_p0_pkey PRIMARY KEY (memory_pk, event_pk, namespace_pk);
ALTER TABLE ONLY agentmem.vector_index
    ADD CONSTRAINT vector_index_pkey PRIMARY KEY (namespace_pk, embedder_pk, passage_pk);
ALTER TABLE ONLY agentmem.vector_index_p0
    ADD CONSTRAINT vector_index_p0_pkey PRIMARY KEY (namespace_pk, embedder_pk, passage_pk);
ALTER TABLE ONLY agentmem.vectors
    ADD CONSTRAINT vectors_passage_pk_embedder_pk_namespace_pk_key UNIQUE (passage_pk, embedder_pk, namespace_pk);
ALTER TABLE ONLY agentmem.vectors_p0
    ADD CONSTRAINT vectors_p0_passage_pk_embedder_pk_namespace_pk_key UNIQUE (passage_pk, embedder_pk, namespace_pk);
ALTER TABLE ONLY agentmem.vectors
    ADD CONSTRAINT vectors_pkey PRIMARY KEY (pk, namespace_pk);
ALTER TABLE ONLY agentmem.vectors_p0
    ADD CONSTRAINT vectors_p0_pkey PRIMARY KEY (pk, namespace_pk);
CREATE INDEX ix_changes_record ON ONLY agentmem.changes USING btree (namespace_pk, record_id);
CREATE INDEX changes_p0_namespace_pk_record_id_idx ON agentmem.changes_p0 USING btree (namespace_pk, record_id);
CREATE INDEX ix_edges_target ON ONLY agentmem.edges USING btree (namespace_pk, target_pk);
CREATE INDEX edges_p0_namespace_pk_target_pk_idx ON agentmem.edges_p0 USING btree (namespace_pk, target_pk);
CREATE INDEX ix_entities_first ON ONLY agentmem.entities USING btree (namespace_pk, first_word);
CREATE INDEX entities_p0_namespace_pk_first_word_idx ON agentmem.entities_p0 USING btree (namespace_pk, first_word);
CREATE INDEX ix_episodes_range ON ONLY agentmem.episodes USING btree (namespace_pk, last_seq, first_seq);
CREATE INDEX episodes_p0_namespace_pk_last_seq_first_seq_idx ON agentmem.episodes_p0 USING btree (namespace_pk, last_seq, first_seq);
CREATE INDEX ix_events_hash ON ONLY agentmem.events USING btree (namespace_pk, content_hash);
CREATE INDEX events_p0_namespace_pk_content_hash_idx ON agentmem.events_p0 USING btree (namespace_pk, content_hash);
CREATE INDEX ix_events_session ON ONLY agentmem.events USING btree (namespace_pk, session, seq);
CREATE INDEX events_p0_namespace_pk_session_seq_idx ON agentmem.events_p0 USING btree (namespace_pk, session, seq);
CREATE INDEX ix_item_removals_version ON agentmem.item_removals USING btree (version);
CREATE INDEX ix_item_texts_item ON agentmem.item_texts USING btree (item_pk);
CREATE INDEX ix_items_expires ON agentmem.items USING btree (expires_at);
CREATE INDEX ix_items_version ON agentmem.items USING btree (version);
CREATE INDEX ix_latent_sources_event ON ONLY agentmem.latent_sources USING btree (event_pk);
CREATE INDEX ix_latents_file ON ONLY agentmem.latents USING btree (file);
CREATE INDEX ix_memories_ended ON ONLY agentmem.memories USING btree (namespace_pk, valid_to);
CREATE INDEX ix_memories_version ON ONLY agentmem.memories USING btree (namespace_pk, version_key);
CREATE INDEX ix_mentions_event ON ONLY agentmem.mentions USING btree (event_pk);
CREATE INDEX ix_passages_event ON ONLY agentmem.passages USING btree (event_pk);
CREATE INDEX ix_passages_memory ON ONLY agentmem.passages USING btree (memory_pk);
CREATE INDEX ix_passages_waiting ON ONLY agentmem.passages USING btree (namespace_pk) WHERE (index_text IS NOT NULL);
CREATE INDEX ix_postings_passage ON ONLY agentmem.postings USING brin (passage_pk) WITH (pages_per_range='16', autosummarize='on');
CREATE INDEX ix_sources_event ON ONLY agentmem.sources USING btree (event_pk);
CREATE INDEX ix_vectors_scan ON ONLY agentmem.vectors USING btree (namespace_pk, embedder_pk, pk, passage_pk, "precision");
CREATE INDEX latent_sources_p0_event_pk_idx ON agentmem.latent_sources_p0 USING btree (event_pk);
CREATE INDEX latents_p0_file_idx ON agentmem.latents_p0 USING btree (file);
CREATE INDEX memories_p0_namespace_pk_valid_to_idx ON agentmem.memories_p0 USING btree (namespace_pk, valid_to);
CREATE INDEX memories_p0_namespace_pk_version_key_idx ON agentmem.memories_p0 USING btree (namespace_pk, version_key);
CREATE INDEX mentions_p0_event_pk_idx ON agentmem.mentions_p0 USING btree (event_pk);
CREATE INDEX passages_p0_event_pk_idx ON agentmem.passages_p0 USING btree (event_pk);
CREATE INDEX passages_p0_memory_pk_idx ON agentmem.passages_p0 USING btree (memory_pk);
CREATE INDEX passages_p0_namespace_pk_idx ON agentmem.passages_p0 USING btree (namespace_pk) WHERE (index_text IS NOT NULL);
CREATE UNIQUE INDEX ux_postings ON ONLY agentmem.postings USING btree (namespace_pk, term, passage_pk) INCLUDE (n, length);
CREATE UNIQUE INDEX postings_p0_namespace_pk_term_passage_pk_n_length_idx ON agentmem.postings_p0 USING btree (namespace_pk, term, passage_pk) INCLUDE (n, length);
CREATE INDEX postings_p0_passage_pk_idx ON agentmem.postings_p0 USING brin (passage_pk) WITH (pages_per_range='16', autosummarize='on');
CREATE INDEX sources_p0_event_pk_idx ON agentmem.sources_p0 USING btree (event_pk);
CREATE INDEX vector_index_hnsw_1 ON ONLY agentmem.vector_index USING hnsw (((embedding)::public.halfvec(16)) public.halfvec_ip_ops) WHERE (embedder_pk = 1);
CREATE INDEX vector_index_p0_embedding_idx ON agentmem.vector_index_p0 USING hnsw (((embedding)::public.halfvec(16)) public.halfvec_ip_ops) WHERE (embedder_pk = 1);
CREATE INDEX vectors_p0_namespace_pk_embedder_pk_pk_passage_pk_precision_idx ON agentmem.vectors_p0 USING btree (namespace_pk, embedder_pk, pk, passage_pk, "precision");
ALTER INDEX agentmem.aliases_pkey ATTACH PARTITION agentmem.aliases_p0_pkey;
ALTER INDEX agentmem.ix_changes_record ATTACH PARTITION agentmem.changes_p0_namespace_pk_record_id_idx;
ALTER INDEX agentmem.changes_pkey ATTACH PARTITION agentmem.changes_p0_pkey;
ALTER INDEX agentmem.derivations_pkey ATTACH PARTITION agentmem.derivations_p0_pkey;
ALTER INDEX agentmem.ix_edges_target ATTACH PARTITION agentmem.edges_p0_namespace_pk_target_pk_idx;
ALTER INDEX agentmem.edges_pkey ATTACH PARTITION agentmem.edges_p0_pkey;
ALTER INDEX agentmem.ix_entities_first ATTACH PARTITION agentmem.entities_p0_namespace_pk_first_word_idx;
ALTER INDEX agentmem.entities_namespace_pk_key_key ATTACH PARTITION agentmem.entities_p0_namespace_pk_key_key;
ALTER INDEX agentmem.entities_pkey ATTACH PARTITION agentmem.entities_p0_pkey;
ALTER INDEX agentmem.episodes_namespace_pk_id_key ATTACH PARTITION agentmem.episodes_p0_namespace_pk_id_key;
ALTER INDEX agentmem.ix_episodes_range ATTACH PARTITION agentmem.episodes_p0_namespace_pk_last_seq_first_seq_idx;
ALTER INDEX agentmem.episodes_namespace_pk_session_first_seq_key ATTACH PARTITION agentmem.episodes_p0_namespace_pk_session_first_seq_key;
ALTER INDEX agentmem.episodes_pkey ATTACH PARTITION agentmem.episodes_p0_pkey;
ALTER INDEX agentmem.ix_events_hash ATTACH PARTITION agentmem.events_p0_namespace_pk_content_hash_idx;
ALTER INDEX agentmem.events_namespace_pk_id_key ATTACH PARTITION agentmem.events_p0_namespace_pk_id_key;
ALTER INDEX agentmem.events_namespace_pk_seq_key ATTACH PARTITION agentmem.events_p0_namespace_pk_seq_key;
ALTER INDEX agentmem.ix_events_session ATTACH PARTITION agentmem.events_p0_namespace_pk_session_seq_idx;
ALTER INDEX agentmem.events_pkey ATTACH PARTITION agentmem.events_p0_pkey;
ALTER INDEX agentmem.latent_removals_pkey ATTACH PARTITION agentmem.latent_removals_p0_pkey;
ALTER INDEX agentmem.ix_latent_sources_event ATTACH PARTITION agentmem.latent_sources_p0_event_pk_idx;
ALTER INDEX agentmem.latent_sources_pkey ATTACH PARTITION agentmem.latent_sources_p0_pkey;
ALTER INDEX agentmem.ix_latents_file ATTACH PARTITION agentmem.latents_p0_file_idx;
ALTER INDEX agentmem.latents_namespace_pk_owner_id_fingerprint_layout_key ATTACH PARTITION agentmem.latents_p0_namespace_pk_owner_id_fingerprint_layout_key;
ALTER INDEX agentmem.latents_pkey ATTACH PARTITION agentmem.latents_p0_pkey;
ALTER INDEX agentmem.memories_namespace_pk_id_key ATTACH PARTITION agentmem.memories_p0_namespace_pk_id_key;
ALTER INDEX agentmem.ix_memories_ended ATTACH PARTITION agentmem.memories_p0_namespace_pk_valid_to_idx;
ALTER INDEX agentmem.ix_memories_version ATTACH PARTITION agentmem.memories_p0_namespace_pk_version_key_idx;
ALTER INDEX agentmem.memories_pkey ATTACH PARTITION agentmem.memories_p0_pkey;
ALTER INDEX agentmem.ix_mentions_event ATTACH PARTITION agentmem.mentions_p0_event_pk_idx;
ALTER INDEX agentmem.mentions_pkey ATTACH PARTITION agentmem.mentions_p0_pkey;
ALTER INDEX agentmem.ix_passages_event ATTACH PARTITION agentmem.passages_p0_event_pk_idx;
ALTER INDEX agentmem.ix_passages_memory ATTACH PARTITION agentmem.passages_p0_memory_pk_idx;
ALTER INDEX agentmem.ix_passages_waiting ATTACH PARTITION agentmem.passages_p0_namespace_pk_idx;
ALTER INDEX agentmem.passages_pkey ATTACH PARTITION agentmem.passages_p0_pkey;
ALTER INDEX agentmem.pieces_passage_pk_embedder_pk_namespace_pk_key ATTACH PARTITION agentmem.pieces_p0_passage_pk_embedder_pk_namespace_pk_key;
ALTER INDEX agentmem.pieces_pkey ATTACH PARTITION agentmem.pieces_p0_pkey;
ALTER INDEX agentmem.ux_postings ATTACH PARTITION agentmem.postings_p0_namespace_pk_term_passage_pk_n_length_idx;
ALTER INDEX agentmem.ix_postings_passage ATTACH PARTITION agentmem.postings_p0_passage_pk_idx;
ALTER INDEX agentmem.recalls_pkey ATTACH PARTITION agentmem.recalls_p0_pkey;
ALTER INDEX agentmem.ix_sources_event ATTACH PARTITION agentmem.sources_p0_event_pk_idx;
ALTER INDEX agentmem.sources_pkey ATTACH PARTITION agentmem.sources_p0_pkey;
ALTER INDEX agentmem.vector_index_hnsw_1 ATTACH PARTITION agentmem.vector_index_p0_embedding_idx;
ALTER INDEX agentmem.vector_index_pkey ATTACH PARTITION agentmem.vector_index_p0_pkey;
ALTER INDEX agentmem.ix_vectors_scan ATTACH PARTITION agentmem.vectors_p0_namespace_pk_embedder_pk_pk_passage_pk_precision_idx;
ALTER INDEX agentmem.vectors_passage_pk_embedder_pk_namespace_pk_key ATTACH PARTITION agentmem.vectors_p0_passage_pk_embedder_pk_namespace_pk_key;
ALTER INDEX agentmem.vectors_pkey ATTACH PARTITION agentmem.vectors_p0_pkey;
ALTER TABLE agentmem.aliases
    ADD CONSTRAINT aliases_namespace_pk_fkey FOREIGN KEY (namespace_pk) REFERENCES agentmem.namespaces(pk);
ALTER TABLE agentmem.changes
    ADD CONSTRAINT changes_namespace_pk_fkey FOREIGN KEY (namespace_pk) REFERENCES agentmem.namespaces(pk);
ALTER TABLE agentmem.derivations
    ADD CONSTRAINT derivations_namespace_pk_fkey FOREIGN KEY (namespace_pk) REFERENCES agentmem.namespaces(pk);
ALTER TABLE agentmem.edges
    ADD CONSTRAINT edges_namespace_pk_fkey FOREIGN KEY (namespace_pk) REFERENCES agentmem.namespaces(pk);
ALTER TABLE agentmem.entities
    ADD CONSTRAINT entities_namespace_pk_fkey FOREIGN KEY (namespace_pk) REFERENCES agentmem.namespaces(pk);
ALTER TABLE agentmem.episodes
    ADD CONSTRAINT episodes_namespace_pk_fkey FOREIGN KEY (namespace_pk) REFERENCES agentmem.namespaces(pk);
ALTER TABLE agentmem.events
    ADD CONSTRAINT events_namespace_pk_fkey FOREIGN KEY (namespace_pk) REFERENCES agentmem.namespaces(pk);
ALTER TABLE ONLY agentmem.item_texts
    ADD CONSTRAINT item_texts_item_pk_fkey FOREIGN KEY (item_pk) REFERENCES agentmem.items(pk) ON DELETE CASCADE;
ALTER TABLE agentmem.latent_removals
    ADD CONSTRAINT latent_removals_namespace_pk_fkey FOREIGN KEY (namespace_pk) REFERENCES agentmem.namespaces(pk);
ALTER TABLE agentmem.latent_sources
    ADD CONSTRAINT latent_sources_event_pk_namespace_pk_fkey FOREIGN KEY (event_pk, namespace_pk) REFERENCES agentmem.events(pk, namespace_pk) ON DELETE CASCADE;
ALTER TABLE agentmem.latent_sources
    ADD CONSTRAINT latent_sources_latent_pk_namespace_pk_fkey FOREIGN KEY (latent_pk, namespace_pk) REFERENCES agentmem.latents(pk, namespace_pk) ON DELETE CASCADE;
ALTER TABLE agentmem.latent_sources
    ADD CONSTRAINT latent_sources_namespace_pk_fkey FOREIGN KEY (namespace_pk) REFERENCES agentmem.namespaces(pk);
ALTER TABLE agentmem.latents
    ADD CONSTRAINT latents_namespace_pk_fkey FOREIGN KEY (namespace_pk) REFERENCES agentmem.namespaces(pk);
ALTER TABLE agentmem.memories
    ADD CONSTRAINT memories_namespace_pk_fkey FOREIGN KEY (namespace_pk) REFERENCES agentmem.namespaces(pk);
ALTER TABLE agentmem.mentions
    ADD CONSTRAINT mentions_event_pk_namespace_pk_fkey FOREIGN KEY (event_pk, namespace_pk) REFERENCES agentmem.events(pk, namespace_pk) ON DELETE CASCADE;
ALTER TABLE agentmem.mentions
    ADD CONSTRAINT mentions_namespace_pk_fkey FOREIGN KEY (namespace_pk) REFERENCES agentmem.namespaces(pk);
ALTER TABLE agentmem.passages
    ADD CONSTRAINT passages_event_pk_namespace_pk_fkey FOREIGN KEY (event_pk, namespace_pk) REFERENCES agentmem.events(pk, namespace_pk) ON DELETE CASCADE;
ALTER TABLE agentmem.passages
    ADD CONSTRAINT passages_memory_pk_namespace_pk_fkey FOREIGN KEY (memory_pk, namespace_pk) REFERENCES agentmem.memories(pk, namespace_pk) ON DELETE CASCADE;
ALTER TABLE agentmem.passages
    ADD CONSTRAINT passages_namespace_pk_fkey FOREIGN KEY (namespace_pk) REFERENCES agentmem.namespaces(pk);
ALTER TABLE agentmem.pieces
    ADD CONSTRAINT pieces_embedder_pk_fkey FOREIGN KEY (embedder_pk) REFERENCES agentmem.embedders(pk);
ALTER TABLE agentmem.pieces
    ADD CONSTRAINT pieces_namespace_pk_fkey FOREIGN KEY (namespace_pk) REFERENCES agentmem.namespaces(pk);
ALTER TABLE agentmem.pieces
    ADD CONSTRAINT pieces_passage_pk_namespace_pk_fkey FOREIGN KEY (passage_pk, namespace_pk) REFERENCES agentmem.passages(pk, namespace_pk) ON DELETE CASCADE;
ALTER TABLE agentmem.postings
    ADD CONSTRAINT postings_namespace_pk_fkey FOREIGN KEY (namespace_pk) REFERENCES agentmem.namespaces(pk);
ALTER TABLE agentmem.recalls
    ADD CONSTRAINT recalls_event_pk_namespace_pk_fkey FOREIGN KEY (event_pk, namespace_pk) REFERENCES agentmem.events(pk, namespace_pk) ON DELETE CASCADE;
ALTER TABLE agentmem.recalls
    ADD CONSTRAINT recalls_namespace_pk_fkey FOREIGN KEY (namespace_pk) REFERENCES agentmem.namespaces(pk);
ALTER TABLE agentmem.sources
    ADD CONSTRAINT sources_event_pk_namespace_pk_fkey FOREIGN KEY (event_pk, namespace_pk) REFERENCES agentmem.events(pk, namespace_pk) ON DELETE CASCADE;
ALTER TABLE agentmem.sources
    ADD CONSTRAINT sources_memory_pk_namespace_pk_fkey FOREIGN KEY (memory_pk, namespace_pk) REFERENCES agentmem.memories(pk, namespace_pk) ON DELETE CASCADE;
ALTER TABLE agentmem.sources
    ADD CONSTRAINT sources_namespace_pk_fkey FOREIGN KEY (namespace_pk) REFERENCES agentmem.namespaces(pk);
ALTER TABLE agentmem.vector_index
    ADD CONSTRAINT vector_index_passage_pk_embedder_pk_namespace_pk_fkey FOREIGN KEY (passage_pk, embedder_pk, namespace_pk) REFERENCES agentmem.vectors(passage_pk, embedder_pk, namespace_pk) ON DELETE CASCADE;
ALTER TABLE agentmem.vectors
    ADD CONSTRAINT vectors_embedder_pk_fkey FOREIGN KEY (embedder_pk) REFERENCES agentmem.embedders(pk);
ALTER TABLE agentmem.vectors
    ADD CONSTRAINT vectors_namespace_pk_fkey FOREIGN KEY (namespace_pk) REFERENCES agentmem.namespaces(pk);
ALTER TABLE agentmem.vectors
    ADD CONSTRAINT vectors_passage_pk_namespace_pk_fkey FOREIGN KEY (passage_pk, namespace_pk) REFERENCES agentmem.passages(pk, namespace_pk) ON DELETE CASCADE;
CREATE POLICY agentmem_namespace ON agentmem.aliases USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.aliases_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.changes USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.changes_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.derivations USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.derivations_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.edges USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.edges_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.entities USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.entities_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.episodes USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.episodes_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.events USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.events_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.item_removals USING ((( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text));
CREATE POLICY agentmem_namespace ON agentmem.item_state USING ((( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text));
CREATE POLICY agentmem_namespace ON agentmem.item_texts USING ((( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text));
CREATE POLICY agentmem_namespace ON agentmem.items USING (((path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.latent_removals USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.latent_removals_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.latent_sources USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.latent_sources_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.latents USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.latents_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.memories USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.memories_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.mentions USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.mentions_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.namespaces USING (((path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.passages USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.passages_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.pieces USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.pieces_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.postings USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.postings_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.recalls USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.recalls_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.sources USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.sources_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.vector_index USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.vector_index_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.vectors USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
CREATE POLICY agentmem_namespace ON agentmem.vectors_p0 USING (((namespace_pk = ( SELECT namespaces.pk
   FROM agentmem.namespaces
  WHERE (namespaces.path = ( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting)))) OR (( SELECT current_setting('agentmem.namespace'::text, true) AS current_setting) = '*'::text)));
ALTER TABLE agentmem.aliases ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.aliases_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.changes_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.derivations ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.derivations_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.edges ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.edges_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.entities ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.entities_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.episodes ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.episodes_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.events ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.events_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.item_removals ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.item_state ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.item_texts ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.items ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.latent_removals ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.latent_removals_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.latent_sources ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.latent_sources_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.latents ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.latents_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.memories ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.memories_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.mentions ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.mentions_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.namespaces ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.passages ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.passages_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.pieces ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.pieces_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.postings ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.postings_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.recalls ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.recalls_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.sources ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.sources_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.vector_index ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.vector_index_p0 ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.vectors ENABLE ROW LEVEL SECURITY;
ALTER TABLE agentmem.vectors_p0 ENABLE ROW LEVEL SECURITY;
