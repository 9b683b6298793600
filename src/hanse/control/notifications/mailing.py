"""Send one e-mail by the house's mail server: always over TLS, to the address that was judged."""

import smtplib
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from hanse.control.notifications.formats import Letter
from hanse.control.notifications.posting import Failed, Refused
from hanse.control.notifications.tables import Settings

STEP_S, TRY_S = 10.0, 30.0
"""How long one answer of the server may take, and all of them together."""


class Server:
    """One conversation with a mail server, at one of these addresses; it is cut off after TRY_S."""

    def __init__(self, settings: Settings, host: str, port: int, addresses: Sequence[str], tls: ssl.SSLContext) -> None:
        self._settings, self._host, self._port = settings, host, port
        self._addresses, self._tls = addresses, tls
        self._connection: socket.socket | None = None
        self._client: smtplib.SMTP | None = None

    def send(self, message: EmailMessage, password: str) -> None:
        """Send a message; blocks. Raises Failed, and Refused for what the server says it will never take."""
        limit = threading.Timer(TRY_S, self._cut)
        limit.daemon = True
        limit.start()
        try:
            with self._greet() as client:
                if self._settings.security == "starttls":
                    client.starttls(context=self._tls)
                if self._settings.username:
                    client.login(self._settings.username, password)
                client.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            code = max((said[0] for said in error.recipients.values()), default=550)
            raise (Refused if code >= 500 else Failed)(f"it refuses the receiver ({code})") from error
        except smtplib.SMTPAuthenticationError as error:
            raise Failed(f"it refuses the name or the password ({error.smtp_code})") from error
        except smtplib.SMTPResponseException as error:
            raise Failed(f"it answers {error.smtp_code}") from error
        except ssl.SSLError as error:
            raise Failed(f"its certificate or TLS is not good: {error.reason or 'unknown'}") from error
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise Failed(f"{self._host}: {type(error).__name__}") from error
        finally:
            limit.cancel()

    def _greet(self) -> smtplib.SMTP:
        """Return the server's client. The name stays the one that certificates are checked against."""
        server = self

        class Client(smtplib.SMTP):
            def _get_socket(self, host: str, _port: int, timeout: float) -> socket.socket:
                server._client, connection = self, server._dial(timeout)
                return server._encrypt(connection, host) if server._settings.security == "tls" else connection

        return Client(self._host, self._port, timeout=STEP_S)

    def _dial(self, timeout: float) -> socket.socket:
        failed: OSError | None = None
        for address in self._addresses:
            try:
                self._connection = socket.create_connection((address, self._port), timeout)
            except OSError as error:
                failed = error
            else:
                return self._connection
        raise failed or OSError("no address")

    def _encrypt(self, connection: socket.socket, host: str) -> socket.socket:
        self._connection = self._tls.wrap_socket(connection, server_hostname=host)
        return self._connection

    def _cut(self) -> None:
        """End the connection from beside: whoever waits for an answer wakes up. TLS has put another in its place."""
        later = None if self._client is None else getattr(self._client, "sock", None)
        for connection in (later, self._connection):
            if connection is not None:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def write(letter: Letter, sender: str, receiver: str) -> EmailMessage:
    """Return a letter as e-mail: plain text, with the first title as its subject. Raises Refused for a bad address."""
    message = EmailMessage()
    more = f" (+ {len(letter.titles) - 1})" if len(letter.titles) > 1 else ""
    try:
        message["From"] = Address(f"Hanse {letter.organisation}", addr_spec=sender)
        message["To"] = Address(addr_spec=receiver)
    except (ValueError, IndexError) as error:
        raise Refused("an e-mail address cannot be read") from error
    message["Subject"] = f"[Hanse {letter.organisation}] {letter.titles[0]}{more}"
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text + "\n")
    return message
