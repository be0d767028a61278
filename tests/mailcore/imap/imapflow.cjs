// ImapFlow against a server: argv is port, user, password. It says what it sees, one JSON value a line.
const { ImapFlow } = require('imapflow');

const [port, user, pass] = process.argv.slice(2);
const say = (what, value) => console.log(JSON.stringify([what, value]));

async function main() {
    const client = new ImapFlow({
        host: '127.0.0.1', port: Number(port), secure: false, doSTARTTLS: false, auth: { user, pass },
        logger: false, clientInfo: { name: 'imapflow' },
    });
    await client.connect();
    say('enabled', [...client.enabled].sort());
    say('folders', (await client.list()).map((folder) => [folder.path, folder.specialUse || '']).sort());

    const lock = await client.getMailboxLock('INBOX');
    const mails = [];
    for await (const mail of client.fetch('1:*', { envelope: true, flags: true, size: true, bodyStructure: true })) {
        mails.push([mail.uid, mail.envelope.subject, [...mail.flags].sort(), mail.size, mail.bodyStructure.type]);
    }
    say('mails', mails);
    const source = await client.fetchOne('2', { source: true });
    say('source', source.source.toString());
    const { content } = await client.download('2', '1');
    let text = '';
    for await (const chunk of content) text += chunk;
    say('text', text);
    say('unseen', await client.search({ seen: false }, { uid: true }));

    await client.messageFlagsAdd({ uid: '1' }, ['\\Seen', '\\Flagged'], { uid: true });
    await client.messageFlagsRemove({ uid: '1' }, ['\\Flagged'], { uid: true });
    const appended = await client.append('INBOX', 'Subject: six\r\n\r\nhi 6\r\n', ['\\Seen'], new Date(0));
    say('appended', appended.uid);
    await client.mailboxCreate('Trips/Rome');
    const moved = await client.messageMove({ uid: '3' }, 'Trips/Rome', { uid: true });
    say('moved', [...moved.uidMap]);
    const copied = await client.messageCopy({ uid: '4' }, 'Trips/Rome', { uid: true });
    say('copied', [...copied.uidMap]);
    await client.messageDelete({ uid: '5' }, { uid: true });
    await client.mailboxRename('Trips/Rome', 'Trips/Paris');
    const status = await client.status('Trips/Paris', { messages: true, unseen: true, uidNext: true });
    say('status', [status.messages, status.unseen, status.uidNext]);
    const quota = await client.getQuota('INBOX');
    say('quota', quota && quota.storage ? quota.storage.limit > 0 : null);

    const news = [];
    const heard = new Promise((resolve) => {
        client.on('exists', (data) => { news.push(['exists', data.prevCount, data.count]); });
        client.on('flags', (data) => { news.push(['flags', data.seq, [...data.flags].sort()]); });
        client.on('expunge', (data) => { news.push(['expunge', data.uid || data.seq]); resolve(); });
    });
    const idling = client.idle();
    say('idle', client.mailbox.exists);
    await heard;
    say('news', news);
    lock.release();
    await client.logout();
    await idling;
}

setTimeout(() => { console.error('it waits in vain'); process.exit(2); }, 20000).unref();
main().catch((error) => { console.error(error); process.exit(1); });
