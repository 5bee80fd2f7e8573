"""A light or siren behind a relay that speaks Modbus TCP: coils for what is shown, a register for the heartbeat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException

from config.clock import Clock
from config.duty.channels import ModbusBeaconSettings
from gateway.notify.channels.beacon import Shown, Standing
from gateway.notify.channels.bounded import bounded
from gateway.notify.port import ChannelError, Delivery, Message, Receipt, Recipient

__all__ = ["ModbusBeacon"]

_NUMBERS = 0xFFFF


class ModbusBeacon:
    """The channel `beacon_modbus`. Accepted: the relay has answered every write and reads back what was written."""

    def __init__(self, settings: ModbusBeaconSettings, clock: Clock) -> None:
        self._settings = settings
        self._standing = Standing()
        self._beat = clock.wall_ms() % _NUMBERS  # not where another gateway, or this one before, began
        self._client: ModbusTcpClient | None = None

    def restore(self, alarms: Iterable[Mapping[str, Any]]) -> None:
        """Take the alarms that are open."""
        self._standing.restore(alarms)

    def send(self, message: Message, recipients: Sequence[Recipient], within_s: float) -> Receipt:  # noqa: ARG002 - all who see it
        """Show what the message changes, and beat: a relay that had gone to fault comes back for an alarm."""
        self._standing.take(message)
        self.heartbeat(within_s)
        return Receipt(Delivery.ACCEPTED)

    def heartbeat(self, within_s: float) -> None:
        """Write the coils again (the relay may have lost them), then a number that was not there before."""
        self._beat = self._beat % _NUMBERS + 1
        client = self._client or ModbusTcpClient(
            self._settings.host, port=self._settings.port, timeout=max(within_s, 0.05), retries=0
        )
        self._client = None  # an exchange that fails leaves a connection nobody knows the state of
        shown, beat = self._standing.shown(), self._beat
        try:
            bounded(lambda: self._write(client, shown, beat), within_s, client.close)
        except (ModbusException, OSError, AttributeError) as error:
            client.close()
            raise ChannelError(f"{self._settings.host}: the relay did not answer ({type(error).__name__})") from None
        except ChannelError as error:
            client.close()
            raise ChannelError(f"{self._settings.host}: {error}", retry=error.retry) from None
        self._client = client

    def _write(self, client: ModbusTcpClient, shown: Shown | None, beat: int) -> None:
        if not client.connected and not client.connect():
            raise ConnectionError
        if shown is not None:
            wanted = self._coils(shown)
            for coil, on in sorted(wanted.items(), key=lambda one: not one[1]):  # on before off: never dark between
                self._ask(client.write_coil, coil, on)
            for coil, on in wanted.items():
                answer = self._ask(client.read_coils, coil)
                if bool(answer.bits[0]) is not on:
                    raise ChannelError(f"coil {coil} is not what was written", retry=True)
        self._ask(client.write_register, self._settings.heartbeat_register, beat)

    def _ask(self, call: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - the answer of whatever was called
        answer = call(*arguments, device_id=self._settings.device_id)
        if answer.isError():
            raise ChannelError(f"the relay refuses ({call.__name__} {arguments[0]})", retry=True)
        return answer

    def _coils(self, shown: Shown) -> dict[int, bool]:
        """Return what every coil has to be; a tier without a coil lights that of the next worse one."""
        coils = self._settings.coils
        lit = max((tier for tier in coils if tier <= shown.tier), default=min(coils)) if shown.tier else 0
        wanted = {coil: tier == lit for tier, coil in coils.items()}
        if self._settings.siren_coil is not None:
            wanted[self._settings.siren_coil] = shown.tier in self._settings.siren_tiers
        return wanted

    def close(self) -> None:
        """Let go; the relay notices that the heartbeat stops."""
        if self._client is not None:
            self._client.close()
            self._client = None
