"""An ESP32 development board without PSRAM on a carrier with relay and analogue front end."""
