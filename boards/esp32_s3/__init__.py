"""An ESP32-S3 with PSRAM: three phases, socket with lock, Modbus meter, Ethernet or Wi-Fi."""
