"""Sizes, counts and times that hold whatever comes from outside, each with its RFC or its reason.

What an operator may change is a setting (design.md, section 3); what is here is part of how we behave.
Names end in their unit: _OCTETS, _SECONDS, or a plural for counts. Nothing but constants in this file, and
long because one look shall show them all.
"""

# --- Messages (design.md, section 9.12: MX refuses, submission normalises, APPEND keeps) ----------------

MESSAGE_OCTETS = 50 * 1024 * 1024  # default of HOSTMAIL_MAX_MESSAGE
HEADER_OCTETS = 256 * 1024  # header section; far above real mail, far below what makes parsers slow
LINE_OCTETS = 64 * 1024  # a line of a message we accept at the MX; RFC 5322 §2.1.1 says 998
PREFIX_OCTETS = 8 * 1024  # our own fields in front of what arrived
RECEIVED_FIELDS = 100  # RFC 5321 §6.3: "SHOULD use a large rejection threshold, normally at least 100"

# --- Names (RFC 1035 §2.3.4, RFC 5321 §4.5.3.1) ---------------------------------------------------------

DOMAIN_OCTETS = 253  # RFC 1035: 255 on the wire
LABEL_OCTETS = 63
LOCAL_PART_OCTETS = 64  # RFC 5321 §4.5.3.1.1
PATH_OCTETS = 256  # RFC 5321 §4.5.3.1.3
ADDRESS_OCTETS = 254  # path without its angle brackets

# --- DNS (mailcore/outside/dns.py) ----------------------------------------------------------------------

DNS_TRY_SECONDS = 3.0  # one question to one server
DNS_LIFETIME_SECONDS = 8.0  # one lookup with all its tries; a mail waits for it
DNS_RUN_SECONDS = 20.0  # all lookups of one question together, such as the route of a domain
DNS_TOGETHER = 200  # questions on their way at once on one event loop; each has a socket
DNS_CONFIGURATION_SECONDS = 300  # /etc/resolv.conf is read again
DNS_POINTERS = 5  # PTR names of one address that are checked
DNS_CACHE_NAMES = 20_000  # answers kept, newest used stay
DNS_CACHE_SECONDS = 3600  # the longest we believe any TTL: people fix their zone and look again
DNS_NEGATIVE_SECONDS = 300  # RFC 2308 §5 allows 3 hours; a new record should be seen soon
DNS_FAILURE_SECONDS = 5  # RFC 2308 §7.1: at most 5 minutes; spares a dead server the same question at once
DNS_CNAMES = 8  # RFC 1034 §3.6.2 warns of chains and loops; eight is what resolvers follow
DNS_RECORDS = 100  # records taken from one answer; nobody has more MX
DNS_TEXT_OCTETS = 16_384  # all strings of one TXT record put together
DNS_UDP_OCTETS = 1232  # EDNS buffer size that never fragments (DNS flag day 2020)
MX_HOSTS = 20  # tried of one domain; RFC 5321 §5.1 wants at least two
MX_ADDRESSES = 40  # tried of one route
NAME_SERVERS = 8  # of one zone asked for a check

# --- Sender authentication (mailcore/senderauth) --------------------------------------------------------

SPF_TERMS = 10  # RFC 7208 §4.6.4: terms that ask DNS, in a record and all it includes
SPF_VOIDS = 2  # §4.6.4: lookups that may find nothing
SPF_NAMES = 10  # §4.6.4: MX hosts of one mechanism; names of the peer
SPF_EXPLANATION_CHARS = 400  # of a stranger's exp= text
LINK_CHARS = 200_000  # of a body that are searched for links
LINK_DOMAINS = 12  # of a mail that lists are asked about; real mail names a handful
SCAN_SECONDS = 20  # a virus scanner; the sender waits ten minutes for our reply (RFC 5321 §4.5.3.2.6)
SPAM_SCORE = 1000  # the highest threshold
QUARANTINE_MESSAGES = 2_000  # of one mailbox; what more comes goes to Junk
QUARANTINE_OCTETS = 256 * 1024 * 1024  # of one mailbox: it counts toward no quota, so it has its own end
SENDER_RULES = 1000  # senders that one mailbox wants or does not want
VERIFY_QUESTIONS = 120  # of one mail, all methods together; real mail needs ten to thirty
DMARC_AUTHORS = 4  # domains in From that are judged; more than one is rare and more is a trick
AUTHRES_OCTETS = 4096  # of our own Authentication-Results field, half of PREFIX_OCTETS
DMARC_NAMES = 8  # RFC 9989 §4.10: asked on the way up from one domain
DKIM_SIGNATURES = 10  # judged of one mail; lists and forwarders leave three or four
DKIM_SIGNATURE_OCTETS = 16 * 1024  # of one field
DKIM_BODY_HASHES = 4  # of one mail: two canonicalisations, and l= where it differs
ARC_SETS = 50  # RFC 8617 §4.2.1: more is a loop or an attack
DKIM_PIECE_OCTETS = 64 * 1024  # of a body in one step: under 10 ms whatever it holds
DKIM_LEAST_BITS = 1024  # RFC 8301 §3.2: shorter RSA keys are never believed
DKIM_MOST_BITS = 8192  # §3.2 wants 4096; the cost grows with the square

# --- Talking to remote mail hosts (RFC 5321 §4.5.3.2; minimum time-outs of a client) --------------------

REMOTE_CONNECT_SECONDS = 30  # not in the RFC; a host that is up answers at once
REMOTE_GREETING_SECONDS = 300  # §4.5.3.2.1
REMOTE_SHORT_GREETING_SECONDS = 45  # while other strangers wait, or where none came the last time
REMOTE_HELO_SECONDS = 300  # as the greeting
REMOTE_TLS_SECONDS = 60
REMOTE_MAIL_SECONDS = 300  # §4.5.3.2.2
REMOTE_RCPT_SECONDS = 300  # §4.5.3.2.3
REMOTE_DATA_SECONDS = 120  # §4.5.3.2.4, for 354
REMOTE_BLOCK_SECONDS = 180  # §4.5.3.2.5, each block sent
REMOTE_END_SECONDS = 600  # §4.5.3.2.6, for the reply to the final dot
REMOTE_QUIT_SECONDS = 5  # nothing depends on it
REMOTE_REPLY_LINE_OCTETS = 2048  # §4.5.3.1.5 says 512; real hosts send longer ones
REMOTE_REPLY_LINES = 100  # of one reply
REMOTE_REPLY_TEXT = 1000  # characters kept of a reply
REMOTE_REPLIES = 300  # kept of one conversation
REMOTE_PIPELINED = 100  # RCPT commands in flight; RFC 5321 §4.5.3.1.8 promises room for 100 recipients
REMOTE_BLOCK_OCTETS = 64 * 1024

# --- Counters and doorbell ------------------------------------------------------------------------------

COUNTER_KEYS = 100_000  # kept in process when there is no Redis; the oldest go
REDIS_SECONDS = 0.5  # connect and answer; callers have a fallback
REDIS_PAUSE_SECONDS = 10  # after a failure, before it is tried again
LEASE_SECONDS = 60  # what a vanished machine held is free again
LEASE_RENEW_SECONDS = 20
WAKE_PAUSE_SECONDS = 0.1  # between two wake-ups of the workers by one process: a burst of Sends is one look
DOORBELL_TOPIC_OCTETS = 200
COURIER_PAUSE_SECONDS = 0.005  # between two rounds of small notices; the first of a burst goes at once
DOORBELL_WAITING = 10_000  # rings waiting to leave for other processes; more are dropped: it is only a bell
DOORBELL_RECONNECT_SECONDS = 2  # between tries of the subscriber
DOORBELL_CHECK_SECONDS = 30  # silence before the subscriber asks whether Redis is still there
POLL_SECONDS = 60  # every waiter also looks once a minute
POLL_ALONE_SECONDS = 5  # without Redis nobody is told about other processes' changes

# --- Storage --------------------------------------------------------------------------------------------

BLOB_THREADS = 4  # writing and syncing files at the same time
STORAGE_SECONDS = 60  # one request to an S3-compatible store

# --- Messages we build, sign and show -------------------------------------------------------------------

DKIM_FIELDS = 1000  # header fields under one signature; real mail has twenty
HTML_OCTETS = 1024 * 1024  # characters of HTML we clean; the rest is not shown. Real newsletters have 100 kB
HTML_TAGS = 20_000  # tags read of it
HTML_SIMPLE_TAGS = 1_000  # below this many even the worst nesting costs a parser little
HTML_DEPTH = 256  # elements within elements; browsers stop at 512
HTML_ATTRIBUTES = 40  # of one element
CSS_OCTETS = 128 * 1024  # of the style elements of one mail; parsing costs 0.5 s per megabyte
CSS_ATTRIBUTE_OCTETS = 4 * 1024  # one style attribute
CSS_ATTRIBUTES_OCTETS = 256 * 1024  # all different style attributes of one mail
CSS_DEPTH = 16  # brackets within brackets
QUOTE_CHARS = 200_000  # of a text, quoted below an answer
REPLY_REFERENCES = 30  # message ids in References of an answer; enough for any thread

# --- IMAP and POP3 on the wire --------------------------------------------------------------------------

IMAP_LINE_OCTETS = (
    64 * 1024
)  # text of one command; RFC 7162 §4 asks for 8192, clients list UIDs by the thousand
IMAP_LINE_BEFORE_LOGIN_OCTETS = 16 * 1024  # a bearer token in AUTHENTICATE is the longest honest line
IMAP_LITERALS = 100  # in one command; SEARCH with a literal per needle, BODY[HEADER.FIELDS] with one per name
IMAP_APPEND_MESSAGES = 1_000  # in one APPEND (RFC 3502): more would hold the mailbox for too long
IMAP_LITERAL_OCTETS = 64 * 1024  # all literals of one command that is no APPEND
IMAP_LITERAL_BEFORE_LOGIN_OCTETS = 4 * 1024  # a name and a password
IMAP_SKIP_OCTETS = 256 * 1024 * 1024  # of a refused command, read and thrown away before we hang up
IMAP_SKIP_BEFORE_LOGIN_OCTETS = 64 * 1024
IMAP_RANGES = 32_768  # in one sequence set: as many as fit on a line
IMAP_SAVED_RANGES = 32_768  # of messages side by side, kept for "$" (RFC 5182); 8 octets each
IMAP_VANISHED_RANGES = 1_000  # on one line: 22 octets each; more lines for more
IMAP_SEARCH_KEYS = 2_000  # words of one SEARCH: keys, operators and parentheses
IMAP_SEARCH_DEPTH = 50  # of the tree that is left; OR chains are flat by then
IMAP_SEARCH_ON_LOOP = 500_000  # keys times messages that are looked through on the event loop: some 10 ms
IMAP_THREAD_STEPS = (
    10_000_000  # up through threads by one THREAD, looking for loops; mail that is real needs few
)
IMAP_URL_OCTETS = 8 * 1024  # of one URL
IMAP_CATENATE_PIECES = 100  # put together for one message
IMAP_FETCH_ITEMS = 100  # in one FETCH
IMAP_FETCH_FIELDS = 200  # header fields named in one BODY[HEADER.FIELDS (...)]
IMAP_PART_DEPTH = 100  # numbers in one section: BODY[1.2.3]
IMAP_FLAGS = 200  # named in one STORE or APPEND
IMAP_LIST_ITEMS = 100  # patterns, options, status items, ID pairs: whatever else stands in parentheses
NOTIFY_FOLDERS = 10_000  # watched by one client (RFC 5465): two whole mailboxes; 200 octets each
NOTIFY_STEPS = 500_000  # folders times what they are compared with, in one look: half a second at worst
NOTIFY_NEWS = 1_000  # lines of one look; who is told more of it had better look itself
IMAP_NAME_OCTETS = 4 * 1024  # a folder name or pattern as spelled on the wire
IMAP_TAG_OCTETS = 64  # we echo it in every answer
IMAP_ANSWER_OCTETS = 64 * 1024  # of FETCH answers joined before they go to the socket
IMAP_SESSIONS = 10_000  # of one process
IMAP_SESSIONS_PER_ADDRESS = 500  # an office behind one address, with five connections for each client
IMAP_SESSIONS_PER_MAILBOX = 100  # of one process
IMAP_IDLE_SECONDS = 30 * 60  # RFC 9051 §5.4: at least 30 minutes
IMAP_IDLE_BEFORE_LOGIN_SECONDS = 60
IMAP_BEFORE_LOGIN_SECONDS = 300  # altogether
IMAP_COMMANDS_BEFORE_LOGIN = 100
IMAP_LOGIN_FAILURES = 5  # of one connection, before we hang up
IMAP_ERRORS = 50  # commands that are no IMAP, before we hang up
IMAP_STOP_SECONDS = 4  # at the end, for commands that run; less than STOP_SECONDS
IMAP_STALL_SECONDS = 300  # a client that takes nothing of its answer
IMAP_STALLED_OCTETS = 64 * 1024 * 1024  # held for clients that take nothing; beyond it the oldest go first
IMAP_LOGIN_CHECK_SECONDS = 30  # suspended, removed or changed password: out within a minute
IMAP_PROGRESS_SECONDS = 10  # without a word, before a long command says that it is at work (RFC 9585 §4)
IMAP_SWEEP_SECONDS = 2  # between looks at who has been idle too long
IMAP_TURN_COMMANDS = 100  # pipelined ones answered before other connections have their turn
IMAP_TURN_SECONDS = 0.05  # of a thread, before other commands have theirs
IMAP_LONG_TURNS = 2  # threads for commands that have had a turn already
IMAP_TURN_OCTETS = 256 * 1024  # of answers made in one turn of a thread
IMAP_WRITE_BUFFER_OCTETS = 256 * 1024  # waiting for a slow reader, before we stop making more
IMAP_PIPELINED_OCTETS = 128 * 1024  # of commands read and not yet run, before we read no more
IMAP_OCTETS_IN_HAND = 128 * 1024 * 1024  # of commands being received by one process
IMAP_SMALL_OCTETS = 1024 * 1024  # what is smaller is taken even then
IMAP_INFLATE_OCTETS = 64 * 1024  # of a compressed connection, before the commands in them are run
IMAP_COMPRESSION_REST_SECONDS = 30  # idle, before its compressor's 32 KB are given back
IMAP_PAGE_ROWS = 500  # read by one statement of FETCH or SEARCH, before others may run
IMAP_PAGE_OCTETS = 1024 * 1024  # of mails read at once by FETCH or SEARCH; one mail may be bigger
POP3_LINE_OCTETS = 255  # RFC 2449 §4, with CRLF
POP3_AUTH_LINE_OCTETS = 16 * 1024  # an answer in AUTH (RFC 5034 §4 says 12288 is enough)
POP3_SKIP_OCTETS = 64 * 1024  # of a line too long, before we hang up
POP3_STALL_SECONDS = 120  # a client that takes nothing of an answer
POP3_SWEEP_SECONDS = 10  # between looks at all connections
POP3_LOGIN_CHECK_SECONDS = 30  # whether those inside still may be (threats.md W44: within 60)
POP3_IDLE_SECONDS = 600  # RFC 1939 §3: at least 10 minutes
POP3_IDLE_BEFORE_LOGIN_SECONDS = 60
POP3_ERRORS = 20  # refused commands of one session before login
POP3_ERRORS_AFTER_LOGIN = 1000  # TOP or RETR of what another client has taken away is honest
POP3_SESSIONS = 2_000  # of one process
POP3_SESSIONS_PER_ADDRESS = 100
POP3_PIPELINED_OCTETS = 64 * 1024  # of commands read and not yet run, before we read no more
POP3_TURN_OCTETS = 64 * 1024  # of answers before other sessions have their turn
POP3_TURN_COMMANDS = 200
POP3_AHEAD_OCTETS = 256 * 1024  # of messages read ahead of a client that asks for one after the other
POP3_AHEAD_MESSAGES = 32
POP3_LARGE_OCTETS = 1024 * 1024  # a message above this counts against:
POP3_OCTETS_IN_HAND = 256 * 1024 * 1024  # of large messages being sent by one process

# --- The store (mailcore/services/messages) -------------------------------------------------------------

INLINE_OCTETS = 64 * 1024  # a compressed body up to this lies in the row, above it in the blob store
BATCH_FILINGS = 256  # filed in one transaction; keeps the write lock short
THREAD_REFERENCES = 20  # message ids of one mail that decide its thread
KEYWORDS = 62  # different keywords in one mailbox: bits of a signed 64-bit number
KEYWORD_OCTETS = 100  # of one keyword
CLERK_WAITING = 2_000  # units handed in and not yet filed; more are told to try later

# --- What we read of a mail's structure (mailcore/message); the rest counts as an opaque part -----------

ADDRESSES = 2_000  # read of one address field; a person never sees more
MIME_DEPTH = 50  # parts within parts; real mail has five
MIME_MULTIPART_DEPTH = 8  # multiparts within multiparts of a mail of any size
MIME_SCANNED_OCTETS = 256 * 1024 * 1024  # size times that depth, beyond which a large mail goes no deeper
MIME_PARTS = 1_000  # of one mail; digests have a few hundred
MIME_NEAR_MISSES = 50_000  # lines that begin as an open boundary and are none, before we look no further
MIME_PARAMETERS = 200  # of one Content-Type or Content-Disposition, RFC 2231 pieces included
REFERENCES = 200  # message ids kept of one mail: the first and the newest
MESSAGE_ID_OCTETS = 998  # RFC 5322 §2.1.1: a line
SUBJECT_CHARS = 4_000  # kept decoded for lists, sorting and search
ADDRESS_TEXT_CHARS = 16_000  # of From, To and Cc, kept decoded for lists and search
PREVIEW_CHARS = 200  # RFC 8970 §3.1
PREVIEW_TEXT_OCTETS = 2_048  # of a text part, read for its preview
PREVIEW_HTML_OCTETS = 16_384  # of an HTML part, which begins with its style

# --- maild ----------------------------------------------------------------------------------------------

DATABASE_THREADS = 8  # more would only wait for the one writer and for each other's GIL
LISTEN_BACKLOG = 1024
TLS_HANDSHAKE_SECONDS = 20
STOP_SECONDS = 5  # for sessions to let go at the end

# --- Folders --------------------------------------------------------------------------------------------

FOLDERS = 5_000  # in one mailbox; Dovecot's users rarely have 500
FOLDER_DEPTH = 32
FOLDER_NAME_OCTETS = 900  # in UTF-8; modified UTF-7 may need more than twice as many on the wire

# RFC 5464 leaves these to the server; an answer holds all of one folder, so that all is bounded, too.
OTHERS_SECONDS = 10  # for how long a session believes that nobody shares anything with it
FOLDER_RIGHTS = 200  # others that one folder is shared with; more than that is a group
GROUPS = 200  # in one tenant
GROUP_MEMBERS = 1_000
GROUP_NAME_CHARS = 64
METADATA_ENTRY_OCTETS = 255  # a name
METADATA_VALUE_OCTETS = 32 * 1024  # less than a literal may have (IMAP_LITERAL_OCTETS)
METADATA_ENTRIES = 1_000  # in one mailbox, all folders: of one person and what is shared
METADATA_OCTETS = 4 * 1024 * 1024  # of their values

# --- SMTP in (mailcore/smtp) ----------------------------------------------------------------------------

PROXY_LINE_OCTETS = 107  # version 1 of the PROXY protocol says so, with CR LF
PROXY_OCTETS = 4096  # of version 2, with what a proxy may tell beside addresses
PROXY_SECONDS = 10  # for all of it; a balancer sends it first thing
PROXY_CLIENTS = 100_000  # introduced connections that are remembered: more than may be open
ACCEPT_PAUSE_SECONDS = 0.5  # when there is no descriptor left for another connection
SMTP_COMMAND_OCTETS = 1024  # RFC 5321 §4.5.3.1.4 says 512; parameters of extensions come on top
SMTP_COMMAND_SECONDS = 300  # §4.5.3.2.7, for the next command
SMTP_DATA_SECONDS = 1800  # for all of one message, however slowly it drips
SMTP_CHUNK_OCTETS = 256 * 1024  # read ahead while a message comes in
SMTP_CHUNK_TIMES = 2  # the size limit: up to there a chunk (RFC 3030) that is too big is read, then refused
SMTP_OCTETS_IN_HAND = 128 * 1024 * 1024  # of messages being received by one listener of a process
SMTP_SMALL_OCTETS = 1024 * 1024  # smaller ones are taken even then
SMTP_SESSIONS = 1000  # of one listener of a process
SMTP_SESSIONS_PER_ADDRESS = 100
SMTP_SESSIONS_PER_NETWORK = 250  # a /24 or /64
NETWORK_TIMES = 4  # as much as one address may a network of strangers bring in a window
SMTP_FREE_GUESSES = 3  # recipients that are none, of one session, before each answer takes longer
SMTP_TARPIT_SECONDS = 8  # and how long it takes at most
GREYLIST_SECONDS = 60  # RFC 6647 §4.3: a minute is enough to tell who comes again
GREYLIST_RETRY_SECONDS = 2 * 86400  # and who has not by then begins again
MET_SECONDS = 36 * 86400  # a sender is known: longer than from one monthly letter to the next
NEWCOMER_DELAY_SECONDS = 15  # how long a reply is held; hosts wait minutes (RFC 5321 §4.5.3.2.6)
SMTP_ERRORS = 20  # negative replies before we hang up
SMTP_RECIPIENTS = 500  # RFC 5321 §4.5.3.1.8: at least 100
LOOP_OCTETS = 96 * 1024  # a message up to this is scanned on the event loop, a bigger one in a thread

# --- People, addresses and passwords --------------------------------------------------------------------

ALIAS_TARGETS = 200  # of one alias
ALIAS_DEPTH = 10  # aliases that lead to aliases; longer chains are mistakes
ROUTE_TARGETS = 1_000  # mailboxes and outside addresses that one recipient may come to
PASSWORD_OCTETS = 1_024  # nobody types more, and hashing it costs us
APP_PASSWORDS = 100  # of one mailbox, alive
NAME_CHARS = 120  # of a person, mailbox or organisation
SIGNATURE_CHARS = 10_000
MAILBOXES_TOGETHER = 8  # made in one transaction; about 20 ms of the write lock
RECOVERY_LINK_SECONDS = 24 * 3600
RECOVERY_LINKS = 5  # mailed a day for one person
INVITATION_SECONDS = 7 * 24 * 3600

# --- Guessing passwords (threats.md P10 allows 60 an hour from one address, 600 from a hundred) -----------
# A sliding window lets through twice its limit in the worst hour, and some tries run at the same time.

LOGIN_WINDOW_SECONDS = 3600
SCRAM_ITERATIONS = 100_000  # of PBKDF2; RFC 7677 §4 wants 4096 at least. Some 30 ms, on the client's side too
LOGIN_TRIES_PAIR = 28  # wrong ones for one name from one address; the same one again does not count
LOGIN_TRIES_NAME = 290  # for one name from everywhere it does not usually come from
LOGIN_TRIES_NETWORK = 300  # for any name from one /24 or /64; an office has many people
LOGIN_FREE_TRIES = 3  # answered at once; then each is slower than the one before
LOGIN_WAIT_SECONDS = 5.0  # the slowest answer
LOGIN_HOLD_SECONDS = 4  # to twice that: no further try in the pages, where no answer is held back
LOGIN_USUAL_SECONDS = 30 * 24 * 3600  # how long an address that logged in well counts as usual
LOGIN_CACHE_SECONDS = 600
LOGIN_WRONG_SECONDS = 3600  # how long the same wrong password is no new guess
LOGIN_CACHE_ENTRIES = 20_000  # about 300 octets each
LOGIN_HASHES = 4  # passwords hashed at the same time; each takes 19 MiB and 26 ms of a core
LOGIN_HASH_WAIT_SECONDS = 10.0  # for a place among them

# --- TLS (mailcore/outside/tls.py) ----------------------------------------------------------------------

CERTIFICATE_DAYS = 825  # the longest that Apple's clients take
CERTIFICATE_RENEW_DAYS = 30  # a self-signed one of ours is made anew that long before its end
CERTIFICATE_CHECK_SECONDS = 10  # between looks at the files

# --- Domains --------------------------------------------------------------------------------------------

DOMAIN_CLAIM_SECONDS = 600  # a worker has a due check to itself; longer than all its lookups take
DOMAIN_CLAIM_DAYS = 30  # a claim that is never proven lapses
DOMAIN_GRACE_DAYS = 14  # a proven name whose proof is gone stays proven: zones are moved, texts tidied away

# --- Showing mail to people (mailcore/message/display.py) -----------------------------------------------

SHOWN_OCTETS = 4 * 1024 * 1024  # of one text part, still encoded; the whole mail can be downloaded
SHOWN_CHARS = 2_000_000

# --- Reports (mailcore/message/dsn.py) ------------------------------------------------------------------

DSN_HEADER_OCTETS = 32 * 1024  # of the original's header section, attached
DSN_OCTETS = 256 * 1024  # read of somebody else's delivery-status part
DSN_RECIPIENTS = 200
DSN_ENVID_OCTETS = 100  # RFC 3461 §4.4
DSN_ORCPT_OCTETS = 500  # RFC 3461 §4.2
DSN_FULL_OCTETS = 1024 * 1024  # a longer mail comes back as its header, whatever RET says
DSN_LETTER_OCTETS = 32 * 1024  # read of a report that only people were meant to read
DSN_TRACES = 5  # of our own Received fields in a mail that came back: one is ours, more are loops

# --- Reports about mail (mailcore/reports) --------------------------------------------------------------

REPORT_PACKED_OCTETS = 5 * 1024 * 1024  # of a report as it came; the largest senders get 1 MB a day
REPORT_OCTETS = 20 * 1024 * 1024  # unpacked: XML of that size packs to 1 MB
REPORT_PARTS = 20  # of a mail, or files in a zip, that are looked at
REPORT_ELEMENTS = 250_000  # of XML; 0.3 KB each while it is read
REPORT_DEPTH = 20  # real ones have six
REPORT_TEXT_CHARS = 2_000  # of one element
REPORT_ROWS = 10_000  # of one report
REPORT_COUNT = 10**12  # mails in one row: sums of all rows stay below what a database counts
REPORT_LATEST = 4_102_444_800  # 2100 in seconds since the epoch
REPORT_CHECKED = 20  # signatures or reasons of one row
DMARC_GATHERED = 5_000  # different rows in memory of one process, 1 KB each; more are not counted
DMARC_FLUSH_SECONDS = 60
DMARC_SIGNATURES = 5  # of one mail, in the reports we owe
DMARC_KEPT_DAYS = 3  # counts; a report that cannot be sent is tried for a day
REPORTS_FROM_HOUR = 1  # in UTC, for the day before
REPORT_RETRY_SECONDS = 3600
REPORT_TRIES = 24
REPORTS_A_DAY = 500  # about one domain; even large ones get them from some hundred reporters
REPORTS_KEPT = 20_000  # of one domain
REPORT_SOURCES = 200  # shown of one domain, those with most mail
REPORT_KEPT_DAYS = 400  # a year and a month, to compare with
ARF_OCTETS = 64 * 1024  # of the part that programs read
ARF_NAMES = 50  # recipients or domains that one complaint names

# --- The API (hostmail/api) -----------------------------------------------------------------------------

CONFIRM_DAYS = 7  # the link to confirm where an alias leads
CONFIRM_PAUSE_SECONDS = 600  # before the same address is asked again
CONFIRM_MAILS = 100  # asked in a day by one tenant
RELAYS = 50  # of one tenant, or for all tenants
RELAY_ATTEMPTS = 100  # that may have failed before a relay is asked; five days have fewer
RELAY_TEST_SECONDS = 10  # each phase of a test, while somebody waits for it
RELAY_TEST_ADDRESSES = 2  # of its host that a test tries
RELAY_SECRET_OCTETS = 255  # of user or password (RFC 4616 §2)
WEBHOOKS = 10  # of one tenant
WEBHOOK_URL_CHARS = 500
WEBHOOK_SECONDS = 10  # one whole post
WEBHOOK_ANSWER_OCTETS = 2_000  # read of what the other side says
WEBHOOK_EVENTS = 5_000  # looked at in one round for one webhook
WEBHOOK_SETTLE_SECONDS = 60  # no transaction is longer: then no event with a smaller number can appear
WEBHOOK_BATCH = 50  # posts taken in one round
WEBHOOK_LEASE_SECONDS = 900  # more than a whole batch of silent hosts takes
WEBHOOK_RETRY_SECONDS = (60, 300, 1800, 7200, 18_000, 36_000, 36_000)  # then it is given up, after 27 hours
WEBHOOK_KEPT_SECONDS = 14 * 24 * 3600  # posts that ended
IDEMPOTENCY_KEY_CHARS = 100  # twice a UUID and more
SUBMISSION_TAGS = 5  # of one mail
SUBMISSION_AHEAD_SECONDS = 30 * 24 * 3600  # a mail may wait so long for its moment
API_REQUESTS = 600  # a minute for one token

# --- Folders in memory (mailcore/snapshot.py) -----------------------------------------------------------

SNAPSHOTS = 512  # folders kept by one process; 10,000 messages take 220 KB
SNAPSHOT_MESSAGES = 4_000_000  # in all of them; 22 octets each
SNAPSHOT_LOG = 32  # refreshes remembered, so that a session that lags behind need not compare everything
SNAPSHOT_LOG_UIDS = 4_000  # of one refresh; a session looks at all messages after a bigger one
SNAPSHOT_CHANGES_ON_LOOP = 1_000  # messages read again on the event loop; more is done in a thread

# --- Mail out (mailcore/services/outbound, mailcore/postman) ------------------------------------------

QUEUE_RETRY_SECONDS = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)  # RFC 5321 §4.5.4.1; then the last
QUEUE_LIFETIME_SECONDS = 5 * 24 * 3600  # §4.5.4.1: "at least 4-5 days"
QUEUE_NOTICE_SECONDS = 4 * 3600  # of delay, before the sender hears of it
QUEUE_RECIPIENTS = 100  # in one transaction; RFC 5321 §4.5.3.1.8 promises room for so many
QUEUE_BATCH = 100  # entries claimed at once for one connection
QUEUE_LINGER_SECONDS = 1.0  # a connection waits for more to carry, while nobody else needs its thread
QUEUE_HOSTS = 6  # addresses tried in one round; RFC 5321 §5.1 wants at least two
QUEUE_STRIKES = 2  # connections to one host that break with nothing sent, before it is left alone for a round
TLS_CHAIN = 10  # certificates of one host that are looked at; OpenSSL verifies no longer ones either
STS_POLICY_OCTETS = 64 * 1024  # of an MTA-STS policy file (RFC 8461 §3.3)
STS_FETCH_SECONDS = 60  # for an MTA-STS policy (RFC 8461 §3.3)
STS_AGAIN_SECONDS = 300  # after a policy could not be had (RFC 8461 §3.3)
STS_REFRESH_SECONDS = 24 * 3600  # a policy is looked at anew once a day (RFC 8461 §3.3), or at half its age
PROBES_PER_HOUR = 60  # by the API, for one organisation: each has strangers' hosts asked about an address
PROBE_SECONDS = 20  # for one of them; whoever asked waits for it
PROBE_REPLY_SECONDS = 5  # for each reply of a host
STS_OUR_AGE_SECONDS = 30 * 24 * 3600  # of our customers' policies: "weeks or greater" (RFC 8461 §3.2)
STS_OUR_TESTING_SECONDS = 24 * 3600  # while nothing is enforced yet
STS_PATTERNS = 1000  # hosts that a policy names
STS_MAX_AGE_SECONDS = 31_557_600  # that a policy is kept (RFC 8461 §3.2)
TLSRPT_URIS = 10  # that one domain's TLS reports go to
TLSRPT_URI_CHARS = 500
TLSRPT_ROWS = 2000  # of one report; a host that breaks in a thousand ways has said enough
TLSRPT_KEPT_DAYS = (
    14  # counts for TLS reports; a report that cannot be sent is tried for a day (RFC 8460 §5.5)
)
LEDGER_WRITES = 64  # in one transaction; each is a few rows
QUEUE_CONNECTIONS = 10  # of one process to one destination; more than twenty make large hosts unfriendly
QUEUE_THREADS = 192  # of one process, nearly all of them waiting for remote hosts
QUEUE_REMEMBERED = 20_000  # routes and destinations that took mail lately, and so are no strangers
QUEUE_FAIR_TURN = (
    4  # each so-many-th batch of a destination is that of who has waited longest, whatever its rank
)
QUEUE_PROBE_SECONDS = (
    30,
    60,
    120,
    300,
    600,
    900,
)  # until a destination that is down is asked again; then the last
SENDING_MOST = 10_000_000  # recipients a day: what a limit may be set to
ACQUAINTANCES_REMEMBERED = 50_000  # by one process; 100 octets each
SENDING_DAYS_KEPT = 90  # of counts
HELD_RELEASED = 500  # entries in one round of one mailbox
# What makes a mailbox look stolen (services/stops.py); each rule is told by name to its owner.
STOLEN_FIRST = 100  # recipients in a day that it never wrote to before, and ...
STOLEN_TIMES = 10  # ... so many times more of them than on its busiest day of the last month
STOLEN_HISTORY_DAYS = 3  # on which it sent; a new mailbox has no history to be measured by
STOLEN_BOUNCES = 30  # recipients in an hour who do not exist: somebody works through a list
STOLEN_NETWORKS = 12  # in an hour that sign in to send; a traveller has three
STOLEN_PEACE_SECONDS = 24 * 3600  # in which a mailbox that was let go on is not judged again
SUPPRESSED_SECONDS = 30 * 24 * 3600  # after a hard bounce; people come back, and domains change hands
RETURN_PATH_DAYS = 14  # a report may come: five days in the next host's queue, and as much behind that
QUEUE_KEPT_SECONDS = 7 * 24 * 3600  # finished submissions, with their mail; the events tell the rest
CHANGES_KEPT_SECONDS = 365 * 24 * 3600  # of the change log (design.md, section 9.5)
SWEEP_AGE_SECONDS = 24 * 3600  # what is younger may belong to a transaction under way
SMTP_AUTH_FAILURES = 4  # of one connection, before we hang up
SMTP_AUTH_OCTETS = 4096  # of one AUTH answer in base64: the longest password and more (RFC 4954 §4)

# Ten years: what a tenant may choose to keep deleted mail and events for.
RETENTION_DAYS = 3650

# --- The dashboard (hostmail/web) -------------------------------------------------------------------------
FORM_OCTETS = 4 * 1024 * 1024  # of a request that carries no mail; Django takes half of it for fields
AUDIT_CSV_ROWS = 10_000  # of one file, which is built in memory: about 2 MB
TRACE_PASTED_OCTETS = 64 * 1024  # of a header section that somebody looks for a mail with
TRACE_CLUES = 20  # ids or words in one search
TRACE_PAGE = 50  # mails on a page of found ones
TRACE_CHUNK_ROWS = 500  # events read by one statement of a search
TRACE_SCAN_ROWS = 20_000  # events looked through for words of a subject: some 0.2 s; the next page goes on
TRACE_RECIPIENTS = 500  # of one mail, told one by one (SMTP_RECIPIENTS)
TRACE_AFTER_ROWS = 2_000  # events of a mailbox looked through for what became of one mail: some 10 ms
LOG_WORDS_CHARS = 500  # of a stranger's words in a line of the mail log
LOG_NAME_CHARS = 320  # of an address or a name there
TRACE_COPIES = 50  # places that one mail is followed to

# --- Webmail (hostmail/webmail, mailcore/services/messages/listing.py) ------------------------------------

PAGE_ROWS = 50  # of a list
PEOPLE_ROWS = 1000  # messages looked at for addresses to complete
PEOPLE = 300  # of these
UNDO_URL_OCTETS = 2000  # of the address that takes a move back: some hundred scattered messages
THREAD_ROWS = 100  # of one conversation on a page; the newest
SEARCH_CHARS = 500  # typed into the search field
SEARCH_TERMS = 20
SEARCH_CHUNK_ROWS = 500  # read by one statement
SEARCH_ROWS = 20_000  # looked at for one page of a search: some 0.3 s; the next page goes on from there
SEARCH_BODIES = 200  # texts read for one page of a search
SEARCH_BODY_OCTETS = 16 * 1024 * 1024  # of mails read for that
SERIAL_DIGITS = 15  # of a number in an address of webmail
LIVE_HEARTBEAT_SECONDS = 20  # proxies cut what is silent for a minute
LIVE_STREAMS_PER_USER = 20  # open at once in one process; a browser needs one
DRAFT_CHARS = 1_000_000  # of a text being written, and of its HTML
DRAFT_FILES = 100  # attached to one mail


# --- The text index (services/textindex) -------------------------------------------------------------------

SEARCH_TEXT_CHARS = 256 * 1024  # of a mail's header and of its body, kept for search; what is longer is read
# Work in the background rests as long as it worked; this many times as long while all cores are so busy.
BACKGROUND_YIELDS_AT = 0.6
BACKGROUND_YIELDS_TIMES = 15
SEARCH_BLOCK = 1024  # mails whose trigrams are kept together
SEARCH_SEALED = 128  # fewer new mails are looked through one by one, and have no trigrams yet
SEARCH_LOT = 64  # texts made in one go, and written in one short transaction
SEARCH_GROUPS_WRITTEN = 64  # pieces of bitmaps in one transaction: some 300 KB
SEARCH_LOT_OCTETS = 8 * 1024 * 1024  # of mails read at once for it; one mail may be bigger
SEARCH_READ = 100  # texts or mails read by one statement of a search, before others may run
SEARCH_FOLDERS_MESSAGES = 2_000_000  # whose content is remembered in one process; 12 octets each
SEARCH_MEMBERS = 1_000_000  # contents known to be indexed, remembered in one process; some 60 octets each
