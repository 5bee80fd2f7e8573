"""pymodbus' own server in a thread: a relay with coils and holding registers."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self

from pymodbus.client import ModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from gateway.broker import free_port

__all__ = ["ModbusRelay"]

COILS = 16


class ModbusRelay:
    """Sixteen coils and sixteen registers from address 0, on a free port of this machine while it is entered."""

    def __init__(self, port: int | None = None) -> None:
        self.port = port or free_port()
        self._up = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        coils = [SimData(0, values=[False] * COILS, datatype=DataType.BITS)]
        registers = [SimData(0, values=[0] * COILS, datatype=DataType.REGISTERS)]
        device = SimDevice(1, (coils, coils, registers, registers))
        self._server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
        await self._server.serve_forever(background=True)
        self._up.set()
        await self._server.serving

    def coils(self) -> set[int]:
        """Return which are on, as another client sees it."""
        with ModbusTcpClient("127.0.0.1", port=self.port) as client:
            bits = client.read_coils(0, count=COILS).bits
        return {number for number, on in enumerate(bits[:COILS]) if on}

    def register(self, number: int) -> int:
        """Return a register."""
        with ModbusTcpClient("127.0.0.1", port=self.port) as client:
            return int(client.read_holding_registers(number).registers[0])

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(5)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._server.shutdown(), self._loop).result(5)
        self._thread.join(5)
