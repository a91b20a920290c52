/** What the page draws with: htm and Preact, from one place. */

export { Component, html, render, useEffect, useRef, useState } from "./vendor/htm-preact.js";
